"""The explicit loop of the notes, which is NumPy and nothing else, with a backward pass and all statistics.

The forward pass is the one that stands in the note on weight initialization: ``np.random.randn`` in
float64, a function that draws the weights, a layer after the other, every array kept. The backward pass is
the same loop in the other direction. The statistics are the columns of winit, each by the NumPy function of
that name: ``mean``, ``std``, ``min``, ``max``, ``histogram``.

Each network is drawn and computed for itself. Different units are told apart by one random projection, and
sums over- and underflow where float64 does; otherwise the statistics mean what they mean in winit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winit.network.activations import histogram_range
from winit.network.cells import Cell, hidden_widths
from winit.network.diagnostics import COSINE_EXAMPLES, SATURATION
from winit.network.summaries import HISTOGRAM_BINS, MAGNITUDE_DECADES

Array = NDArray[np.float64]
Row = dict[str, Any]
WeightInit = Callable[[int, int], Array]
"""From fan_in and fan_out to W."""

TOLERANCE = 1e-6
"""Projections that differ by less than this share of the largest are of one unit."""

INITIALIZERS: dict[str, WeightInit] = {
    "zeros": lambda fan_in, fan_out: np.zeros((fan_in, fan_out)),
    "normal(std=0.01)": lambda fan_in, fan_out: 0.01 * np.random.randn(fan_in, fan_out),
    "normal(std=1.0)": lambda fan_in, fan_out: 1 * np.random.randn(fan_in, fan_out),
    "lecun_normal": lambda fan_in, fan_out: np.random.randn(fan_in, fan_out) / np.sqrt(fan_in),
    "he_normal": lambda fan_in, fan_out: np.random.randn(fan_in, fan_out) / np.sqrt(fan_in / 2),
}
"""lecun_normal is what the notes call Xavier."""
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(0, z),
    "tanh": np.tanh,
}
DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda h: (h > 0).astype(float),
    "tanh": lambda h: 1 - h**2,
}
"""φ' from h = φ(z). The largest is 1 for both."""


def compute(cells: Sequence[Cell]) -> None:
    """Every cell's layer rows, cell by cell."""
    for cell in cells:
        np.random.seed(cell.seed)
        sizes = hidden_widths(cell.width, cell.depth)
        x = np.random.randn(cell.probe.batch, sizes[0])
        cotangent = np.random.randn(cell.probe.batch, cell.probe.outputs)
        measure(sizes, INITIALIZERS[cell.initializer], cell.activation, x, cotangent)


def measure(
    hidden_layer_sizes: Sequence[int], weight_init: WeightInit, nonlinearity: str, x: Array, cotangent: Array
) -> list[Row]:
    """The layer rows 0 … depth; ``x`` and ``cotangent`` have an example in each row."""
    act_func = ACTIVATIONS[nonlinearity]
    direction = np.random.randn(len(x))

    weights, pre_activations, activations = [], [], [x]
    for fan_out in hidden_layer_sizes:
        h = activations[-1]
        w = weight_init(h.shape[1], fan_out)
        z = np.dot(h, w)
        weights.append(w)
        pre_activations.append(z)
        activations.append(act_func(z))
    readout = weight_init(hidden_layer_sizes[-1], cotangent.shape[1])

    rows = [activity(x, nonlinearity, direction)]
    for w, z, h in zip(weights, pre_activations, activations[1:], strict=True):
        row = {"z_mean": np.mean(z), "z_std": np.std(z), "w_mean": np.mean(w), "w_std": np.std(w)}
        slope = derivative(DERIVATIVES[nonlinearity](h))
        rows.append(row | activity(h, nonlinearity, direction, z) | slope)

    rows[-1]["y_std"] = np.std(np.dot(activations[-1], readout))
    g = np.dot(cotangent, readout.T)
    for layer in reversed(range(len(weights))):
        delta = g * DERIVATIVES[nonlinearity](activations[layer + 1])
        weight_gradient = np.dot(activations[layer].T, delta) / len(x)
        rows[layer + 1] |= sensitivity(g, delta, weight_gradient, direction)
        if layer > 0:
            g = np.dot(delta, weights[layer].T)
    return rows


def activity(h: Array, nonlinearity: str, direction: Array, z: Array | None = None) -> Row:
    finite = np.isfinite(h) if z is None else np.isfinite(h) & np.isfinite(z)
    cosine_mean, cosine_std = cosines(h[:COSINE_EXAMPLES])
    return {
        "h_mean": np.mean(h),
        "h_std": np.std(h),
        "h_second_moment": np.mean(h**2),
        "h_min": np.min(h),
        "h_max": np.max(h),
        "h_zero_fraction": np.mean(h == 0),
        "nonfinite_fraction": 1 - np.mean(finite),
        "distinct_units": distinct(h, direction),
        "cosine_mean": cosine_mean,
        "cosine_std": cosine_std,
        "h_histogram": histogram(h, *histogram_range(nonlinearity)),
        "h_magnitude": magnitude_histogram(h),
    }


def derivative(slope: Array) -> Row:
    return {
        "derivative_mean": np.mean(slope),
        "derivative_second_moment": np.mean(slope**2),
        "derivative_max": np.max(slope),
        "saturated_fraction": np.mean(slope < SATURATION),
        "dead_units": np.sum(np.max(slope, axis=0) == 0),
    }


def sensitivity(g: Array, delta: Array, weight_gradient: Array, direction: Array) -> Row:
    return {
        "distinct_errors": distinct(delta, direction),
        "g_mean": np.mean(g),
        "g_std": np.std(g),
        "weight_grad_mean": np.mean(weight_gradient),
        "weight_grad_std": np.std(weight_gradient),
        "weight_grad_norm": np.linalg.norm(weight_gradient),
        "g_magnitude": magnitude_histogram(g),
    }


def distinct(values: Array, direction: Array) -> int:
    """Columns whose projections on ``direction`` differ; −1 where they are not finite."""
    projection = np.sort(np.dot(direction, values))
    largest = max(-projection[0], projection[-1])
    return 1 + np.sum(np.diff(projection) > TOLERANCE * largest) if np.isfinite(largest) else -1


def cosines(examples: Array) -> tuple[float, float]:
    """Mean and standard deviation over the pairs; an example that is zero everywhere has no direction."""
    norms = np.linalg.norm(examples, axis=1)
    units = examples[norms > 0] / norms[norms > 0, np.newaxis]
    if len(units) < 2:
        return np.nan, np.nan
    pairs = np.dot(units, units.T)[np.triu_indices(len(units), 1)]
    return np.mean(pairs), np.std(pairs)


def histogram(values: Array, low: float, high: float) -> NDArray[np.int64]:
    """Counts of underflow, 30 equal bins and overflow."""
    counts, _ = np.histogram(values, HISTOGRAM_BINS, range=(low, high))
    return np.concatenate([[np.sum(values < low)], counts, [np.sum(values > high)]])


def magnitude_histogram(values: Array) -> NDArray[np.int64]:
    """Counts of zero, below 1e-30, each decade to 1e30, 1e30 and above, and not finite."""
    first, last = MAGNITUDE_DECADES
    magnitudes = np.abs(values)
    with np.errstate(divide="ignore"):
        decades = np.log10(magnitudes)
    counts, _ = np.histogram(decades, last - first, range=(first, last))
    zero, small = np.sum(magnitudes == 0), np.sum(decades < first)
    large, infinite = np.sum(decades > last), np.sum(~np.isfinite(magnitudes))
    return np.concatenate([[zero, small - zero], counts, [large - np.sum(np.isinf(magnitudes)), infinite]])
