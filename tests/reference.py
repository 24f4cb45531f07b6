"""The kernel once more, plainly: one cell, one layer after the other, NumPy, nothing shared.

This is the judge of the real kernel. It shares with it only the catalogue's functions and the
definition of the random streams, which it restates: each array is drawn here from its own stream.
"""

import itertools
import math
import re

import numpy as np

from winit.network.activations import activation, histogram_range
from winit.network.cells import Cell, hidden_widths, input_width

SQRT3 = math.sqrt(3.0)


def stream(seed, purpose, layer, distribution=0):
    """The generator of (seed, purpose, layer)."""
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose, layer, distribution))
    return np.random.Generator(np.random.SFC64(sequence))


def normal(seed, purpose, layer, shape, dtype):
    return stream(seed, purpose, layer).standard_normal(shape, dtype=np.float32).astype(dtype)


def uniform(seed, purpose, layer, shape, dtype):
    drawn = stream(seed, purpose, layer, 1).random(shape, dtype=np.float32)
    return ((2 * drawn - 1) * np.float32(SQRT3)).astype(dtype)


def weights(label, seed, purpose, layer, shape, dtype):
    """W of a few initializers, written out."""
    n_in, n_out = shape
    stds = {
        "normal(std=0.01)": 0.01,
        "normal(std=1.0)": 1.0,
        "lecun_normal": math.sqrt(1 / n_in),
        "glorot_normal": math.sqrt(2 / (n_in + n_out)),
        "he_normal": math.sqrt(2 / n_in),
    }
    constants = {"zeros": 0.0, "ones": 1.0, "constant(value=0.1)": 0.1}
    if label in constants:
        return np.full(shape, constants[label], dtype)
    if label == "he_uniform":
        std = math.sqrt(2 / n_in)
        return uniform(seed, purpose, layer, shape, dtype) * dtype.type(std)
    if label == "orthogonal":
        drawn = normal(seed, purpose, layer, shape, np.dtype(np.float64))
        tall = drawn if n_in >= n_out else drawn.T
        q, r = np.linalg.qr(tall)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return (q if n_in >= n_out else q.T).astype(dtype)
    return normal(seed, purpose, layer, shape, dtype) * dtype.type(stds[label])


def examples(seed, probe, width):
    """x of normal input, or of pairs of the correlation that the label gives."""
    dtype = np.dtype(probe.dtype)
    x = normal(seed, 0, 0, (probe.batch, width), dtype)
    if probe.input == "normal":
        return x
    cosine = float(re.fullmatch(r"pairs\(correlation=(.*)\)", probe.input)[1])
    made = []
    for first, other in zip(x[::2].astype(np.float64), x[1::2].astype(np.float64), strict=True):
        unit = first / np.linalg.norm(first)
        rest = other - (other @ unit) * unit
        second = cosine * unit + math.sqrt(1 - cosine**2) * rest / np.linalg.norm(rest)
        made += [unit * math.sqrt(width), second * math.sqrt(width)]
    return np.array(made).astype(dtype)


def rows(cell: Cell, x=None):
    """The layer rows of ``cell`` as a list of dictionaries; undefined values are None.

    ``x`` are the examples, where they are neither normal nor pairs.
    """
    probe, dtype = cell.probe, np.dtype(cell.probe.dtype)
    phi = activation(cell.activation)
    widths = hidden_widths(cell.width, cell.depth)
    if x is None:
        x = examples(cell.seed, probe, input_width(widths[0], probe))
    outputs, pre, slopes, matrices = [x], [None], [None], [None]
    for index, width in enumerate(widths, 1):
        w = weights(cell.initializer, cell.seed, 1, index, (outputs[-1].shape[1], width), dtype)
        z = outputs[-1] @ w
        if probe.bias_std:
            b = normal(cell.seed, 2, index, (width,), dtype)
            z = z + b * dtype.type(probe.bias_std)
        h, slope = phi(z)
        outputs.append(h)
        pre.append(z)
        slopes.append(slope)
        matrices.append(w)
    readout = weights(cell.initializer, cell.seed, 3, 0, (widths[-1], probe.outputs), dtype)
    v = normal(cell.seed, 4, 0, (probe.batch, probe.outputs), dtype)
    errors = {cell.depth: v @ readout.T}
    for index in range(cell.depth, 1, -1):
        errors[index - 1] = (errors[index] * slopes[index]) @ matrices[index].T
    result = [_activity(phi, outputs[0], None, None, None)]
    for index in range(1, cell.depth + 1):
        row = _activity(phi, outputs[index], pre[index], slopes[index], matrices[index])
        row |= _sensitivity(outputs[index - 1], errors[index], slopes[index])
        result.append(row)
    result[-1] |= output(outputs[-1], readout)
    if probe.input.startswith("pairs"):
        for row, signal in zip(result, [x, *pre[1:]], strict=True):
            pairs = zip(signal[::2].astype(np.float64), signal[1::2].astype(np.float64), strict=True)
            row["pair_correlation"] = np.mean([_cosine(*pair) for pair in pairs])
    return result


def output(h, readout):
    """Of y."""
    y = (h @ readout).astype(np.float64)
    return {"y_mean": y.mean(), "y_std": y.std()}


def _activity(phi, h, z, slope, w):
    h64 = h.astype(np.float64)
    finite = np.isfinite(h) if z is None else np.isfinite(h) & np.isfinite(z)
    row = {
        "h_mean": h64.mean(),
        "h_std": h64.std(),
        "h_second_moment": (h64**2).mean(),
        "h_min": h64.min(),
        "h_max": h64.max(),
        "h_zero_fraction": (h == 0).mean(),
        "nonfinite_fraction": 1 - finite.mean(),
        "distinct_units": distinct(h64),
        "h_histogram": _histogram(h64, *histogram_range(phi.label)),
        "h_magnitude": magnitudes(h),
    }
    row["cosine_mean"], row["cosine_std"] = _cosines(h64[:64])
    if z is not None:
        z64, d64 = z.astype(np.float64), slope.astype(np.float64)
        row |= {
            "z_mean": z64.mean(),
            "z_std": z64.std(),
            "derivative_mean": d64.mean(),
            "derivative_second_moment": (d64**2).mean(),
            "derivative_max": np.abs(d64).max(),
            "saturated_fraction": (np.abs(slope) < 0.05 * phi.largest_derivative).mean(),
            "dead_units": int((slope == 0).all(axis=0).sum()),
            "w_mean": w.astype(np.float64).mean(),
            "w_std": w.astype(np.float64).std(),
        }
    return row


def _sensitivity(inputs, g, slope):
    delta = (g * slope).astype(np.float64)
    gradient = inputs.astype(np.float64).T @ delta / len(inputs)
    return {
        "distinct_errors": distinct(delta),
        "g_mean": g.astype(np.float64).mean(),
        "g_std": g.astype(np.float64).std(),
        "weight_grad_mean": gradient.mean(),
        "weight_grad_std": gradient.std(),
        "weight_grad_norm": np.linalg.norm(gradient),
        "g_magnitude": magnitudes(g),
    }


def _cosines(examples):
    found = []
    for i in range(len(examples)):
        for j in range(i + 1, len(examples)):
            if examples[i].any() and examples[j].any():
                found += [_cosine(examples[i], examples[j])]
    return (np.mean(found), np.std(found)) if found else (None, None)


def _cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def distinct(columns, tolerance=1e-6):
    """Columns that differ from every earlier one that was counted."""
    kept = []
    for column in columns.T:
        largest = np.abs(column).max()
        same = [
            np.abs(column - other).max() <= tolerance * max(largest, np.abs(other).max()) for other in kept
        ]
        if not any(same):
            kept.append(column)
    return len(kept)


def _histogram(values, low, high):
    counts, _ = np.histogram(values, 30, (low, high))
    return [int((values < low).sum()), *counts.tolist(), int((values > high).sum())]


def magnitudes(values):
    """Zero, below 1e-30, the decades, 1e30 and above, not finite."""
    dtype = values.dtype
    values = np.abs(values.ravel())
    finite = values[np.isfinite(values)]
    edges = [dtype.type(f"1e{k}") for k in range(-30, 31)]
    decades = [int(((finite >= a) & (finite < b)).sum()) for a, b in itertools.pairwise(edges)]
    small = int(((finite > 0) & (finite < edges[0])).sum())
    large = int((finite >= edges[-1]).sum())
    return [int((finite == 0).sum()), small, *decades, large, len(values) - len(finite)]
