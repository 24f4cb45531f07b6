"""What is measured at every layer: the registry of diagnostics, and the columns they fill.

A diagnostic names the part of a layer that it looks at, and gives one value for each of its columns.
To add one, write its function and its entry in ``DIAGNOSTICS``: the Parquet schema, its
documentation and the tests over all columns follow from the entry.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from winit.network import statistics
from winit.network.activations import ACTIVATIONS, UNBOUNDED_RANGE, Activation, histogram_range
from winit.network.draws import Array

SATURATION = 0.05
"""A unit counts as saturated where |φ'(z)| is below this share of max |φ'|."""
COSINE_EXAMPLES = 64
"""Cosines are taken over the pairs of the first so many examples."""

Part = Literal["h", "z", "weights", "backward"]
Kind = Literal["float", "count", "counts"]
Value = float | int | NDArray[np.uint32]
"""A float or count that is not defined is NaN or −1, and null in the files."""


@dataclass(frozen=True)
class Column:
    """A column of the layers table."""

    name: str
    description: str
    unit: str = "1"
    kind: Kind = "float"
    slots: int = 0
    metadata: tuple[tuple[str, str], ...] = ()


class Inputs:
    """The activations h of one layer, as that layer's output and as the next one's inputs."""

    def __init__(self, h: Array) -> None:
        self.h = h

    @cached_property
    def ends(self) -> tuple[float, float]:
        """min h and max h; NaN where an entry is NaN."""
        return float(self.h.min()), float(self.h.max())

    @property
    def largest(self) -> float:
        """max |h|; NaN where an entry is NaN."""
        return max(self.ends[1], -self.ends[0])

    @cached_property
    def scaled(self) -> tuple[Array, int]:
        """h · 2^-e and e; see ``scaled``."""
        return scaled(self.h, self.largest)

    @cached_property
    def centred(self) -> tuple[NDArray[np.float64], Array]:
        """The mean over units of the scaled h, shape (batch,), and the scaled h without it."""
        return centred(self.scaled[0])

    @cached_property
    def gram(self) -> Array:
        """h hᵀ of the centred h, shape (batch, batch); one serves the backward passes of every depth."""
        return self.centred[1] @ self.centred[1].T


@dataclass(frozen=True)
class Activity:
    """A layer after its forward pass, or the input, which has h alone."""

    activation: Activation
    output: Inputs
    z: Array | None = None
    derivative: Array | None = None
    weights: Array | None = None
    paired: bool = False
    """Whether the examples 2k and 2k + 1 are a pair."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What can be measured here: the input has been through no weights."""
        return ("h",) if self.z is None else ("h", "z", "weights")


@dataclass(frozen=True)
class Sensitivity:
    """A layer after its backward pass: g = ∂L/∂h, δ = ∂L/∂z per example, and the layer's inputs."""

    inputs: Inputs
    g: Array
    delta: Array
    parts: tuple[Part, ...] = ("backward",)


@dataclass(frozen=True)
class Diagnostic:
    """One measurement. ``of`` says which part of a layer it needs; where that is missing, so is it."""

    columns: tuple[Column, ...]
    of: Part
    measure: Callable[[Any], tuple[Value, ...]]

    @property
    def counts(self) -> bool:
        """Whether it is a histogram, which a probe may leave out."""
        return self.columns[0].kind == "counts"


def scaled(values: Array, largest: float) -> tuple[Array, int]:
    """``values`` · 2^-e and e, so that products of two neither over- nor underflow.

    e is 0 wherever the values are of ordinary size; multiplying by a power of two is exact.
    """
    exponent = int(np.frexp(largest)[1])
    if abs(exponent) <= 30:
        return values, 0
    return np.ldexp(values, -exponent), exponent


def centred(values: Array) -> tuple[NDArray[np.float64], Array]:
    """The mean of each row, and ``values`` without it."""
    means = statistics.row_sums(values) / values.shape[1]
    return means, values - means.astype(values.dtype)[:, np.newaxis]


def gram_is_cheaper(batch: int, fan_in: int, fan_out: int) -> bool:
    """Whether h hᵀ and δ δᵀ, symmetric and so half computed by BLAS, cost less than hᵀδ."""
    return batch * (fan_in + fan_out) < 2 * fan_in * fan_out


def _pre_activation(layer: Activity) -> tuple[Value, ...]:
    assert layer.z is not None
    of_z = statistics.moments(layer.z)
    return of_z.mean, of_z.std


def _activation(layer: Activity) -> tuple[Value, ...]:
    h = layer.output.h
    of_h = statistics.moments(h)
    zeros = (h.size - np.count_nonzero(h)) / h.size
    return of_h.mean, of_h.std, of_h.second, *layer.output.ends, zeros


def _nonfinite(layer: Activity) -> tuple[Value, ...]:
    finite = np.isfinite(layer.output.h)
    if layer.z is not None:
        finite &= np.isfinite(layer.z)
    return ((finite.size - np.count_nonzero(finite)) / finite.size,)


def _derivative(layer: Activity) -> tuple[Value, ...]:
    assert layer.derivative is not None
    threshold = SATURATION * layer.activation.largest_derivative
    of_d = statistics.derivative_statistics(layer.derivative, threshold)
    return of_d.mean, of_d.second, of_d.largest, of_d.below, of_d.dead


def _distinct_units(layer: Activity) -> tuple[Value, ...]:
    return (_distinct(layer.output.h, layer.output.largest),)


def _distinct_errors(layer: Sensitivity) -> tuple[Value, ...]:
    return (_distinct(layer.delta, float(max(layer.delta.max(), -layer.delta.min()))),)


def _distinct(values: Array, largest: float) -> int:
    return statistics.distinct_columns(values) if np.isfinite(largest) else -1


def _cosine(layer: Activity) -> tuple[Value, ...]:
    examples = layer.output.h[:COSINE_EXAMPLES].astype(np.float64)
    largest = np.abs(examples).max(axis=1, keepdims=True)
    # An example that is zero everywhere, or not finite, has no direction.
    directed = np.isfinite(largest[:, 0]) & (largest[:, 0] > 0)
    if np.count_nonzero(directed) < 2:
        return np.nan, np.nan
    examples = examples[directed] / largest[directed]
    examples /= np.linalg.norm(examples, axis=1, keepdims=True)
    cosines = (examples @ examples.T)[np.triu_indices(len(examples), 1)]
    return float(cosines.mean()), float(cosines.std())


def _pair_correlation(layer: Activity) -> tuple[Value, ...]:
    if not layer.paired:
        return (np.nan,)
    signal = layer.output.h if layer.z is None else layer.z
    largest = np.abs(signal).max(axis=1, keepdims=True).astype(np.float64)
    units = signal / np.where(largest > 0, largest, np.nan)
    first, second = units[::2], units[1::2]
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (float(np.mean((first * second).sum(axis=1) / norms)),)


def _weights(layer: Activity) -> tuple[Value, ...]:
    assert layer.weights is not None
    of_w = statistics.moments(layer.weights)
    return of_w.mean, of_w.std


def _gradient(layer: Sensitivity) -> tuple[Value, ...]:
    of_g = statistics.moments(layer.g)
    return of_g.mean, of_g.std


def _weight_gradient(layer: Sensitivity) -> tuple[Value, ...]:
    """Moments of ∂L/∂W = hᵀδ / batch, in float64, beyond the range of the dtype."""
    batch, fan_in = layer.inputs.h.shape
    fan_out = layer.delta.shape[1]
    largest = float(max(layer.delta.max(), -layer.delta.min()))
    if not np.isfinite(largest + layer.inputs.largest):
        return np.nan, np.nan, np.nan
    delta, delta_exponent = scaled(layer.delta, largest)
    h, exponent = layer.inputs.scaled
    if gram_is_cheaper(batch, fan_in, fan_out):
        mean, variance = _product_moments(layer.inputs, delta)
    else:
        product = statistics.moments(h.T @ delta)
        mean, variance = product.mean, product.std**2
    unit = np.ldexp(1.0 / batch, exponent + delta_exponent)
    norm = np.sqrt(fan_in * fan_out * (variance + mean**2))
    return float(mean * unit), float(np.sqrt(variance) * unit), float(norm * unit)


def _product_moments(inputs: Inputs, delta: Array) -> tuple[float, float]:
    """Mean and variance of the entries of hᵀδ, for a batch below the width, without hᵀδ.

    With h = a 1ᵀ + H and δ = c 1ᵀ + D, where a and c are the means over units, hᵀδ is the sum of (a·c) 1 1ᵀ,
    1 (Dᵀa)ᵀ, (Hᵀc) 1ᵀ and HᵀD. These are orthogonal, since the rows of H and D sum to zero; and
    ‖HᵀD‖² = Σ (H Hᵀ) ⊙ (D Dᵀ). Without the centring, equal entries would leave a variance of rounding.
    """
    fan_in, fan_out = inputs.h.shape[1], delta.shape[1]
    a, h = inputs.centred
    c, d = centred(delta)
    dtype = delta.dtype
    square = (
        fan_in * statistics.moments(a.astype(dtype) @ d).second * fan_out
        + fan_out * statistics.moments(c.astype(dtype) @ h).second * fan_in
        + statistics.inner_product(inputs.gram, d @ d.T)
    )
    return float(a @ c), max(float(square), 0.0) / (fan_in * fan_out)


def _h_histogram(layer: Activity) -> tuple[Value, ...]:
    return (statistics.histogram(layer.output.h, *histogram_range(layer.activation.label)),)


def _h_magnitude(layer: Activity) -> tuple[Value, ...]:
    return (statistics.magnitude_histogram(layer.output.h),)


def _g_magnitude(layer: Sensitivity) -> tuple[Value, ...]:
    return (statistics.magnitude_histogram(layer.g),)


_BINS = statistics.HISTOGRAM_BINS
_FIRST, _LAST = statistics.MAGNITUDE_DECADES
_RANGES = {"": UNBOUNDED_RANGE} | {e.name: e.bounds for e in ACTIVATIONS.values() if e.bounds}
_HISTOGRAM_METADATA = (
    ("slots", f"underflow, {_BINS} equal bins, overflow"),
    # From activation to the ends of its bins; "" stands for all others.
    ("edges", json.dumps(_RANGES)),
)
_MAGNITUDE_METADATA = (
    ("slots", f"zero, below 1e{_FIRST}, a decade each to 1e{_LAST}, 1e{_LAST} and above, not finite"),
    ("edges", json.dumps([10.0**k for k in range(_FIRST, _LAST + 1)])),
)


def _counts(name: str, description: str, metadata: tuple[tuple[str, str], ...]) -> Column:
    slots = statistics.MAGNITUDE_SLOTS
    if name.endswith("histogram"):
        slots = _BINS + 2
    return Column(name, description, "entries", "counts", slots, metadata)


DIAGNOSTICS: tuple[Diagnostic, ...] = (
    Diagnostic(
        (
            Column("z_mean", "mean of the pre-activation over batch and units"),
            Column("z_std", "standard deviation of the pre-activation over batch and units"),
        ),
        "z",
        _pre_activation,
    ),
    Diagnostic(
        (
            Column("h_mean", "mean of the activation over batch and units"),
            Column("h_std", "standard deviation of the activation over batch and units"),
            Column("h_second_moment", "mean square of the activation"),
            Column("h_min", "smallest activation"),
            Column("h_max", "largest activation"),
            Column("h_zero_fraction", "share of activations that are exactly zero"),
        ),
        "h",
        _activation,
    ),
    Diagnostic(
        (Column("nonfinite_fraction", "share of entries where z or h is infinite or NaN"),),
        "h",
        _nonfinite,
    ),
    Diagnostic(
        (
            Column("derivative_mean", "mean of φ'(z) over batch and units"),
            Column("derivative_second_moment", "mean square of φ'(z) over batch and units"),
            Column("derivative_max", "largest |φ'(z)| over batch and units"),
            Column(
                "saturated_fraction",
                f"share of entries with |φ'(z)| < {SATURATION} · max |φ'|, the maximum over |z| ≤ 10",
            ),
            Column("dead_units", "units with φ'(z) = 0 over the whole batch", "units", "count"),
        ),
        "z",
        _derivative,
    ),
    Diagnostic(
        (
            Column(
                "distinct_units",
                "different columns of h (relative tolerance 1e-6): 1 is one unit repeated",
                "units",
                "count",
            ),
        ),
        "h",
        _distinct_units,
    ),
    Diagnostic(
        (
            Column(
                "distinct_errors",
                "different columns of δ = ∂L/∂z (relative tolerance 1e-6)",
                "units",
                "count",
            ),
        ),
        "backward",
        _distinct_errors,
    ),
    Diagnostic(
        (
            Column(
                "cosine_mean",
                f"mean cosine between the activations of two of the first {COSINE_EXAMPLES} examples",
            ),
            Column("cosine_std", "standard deviation of these cosines over the pairs"),
        ),
        "h",
        _cosine,
    ),
    Diagnostic(
        (
            Column(
                "pair_correlation",
                "mean cosine between the pre-activations z (layer 0: the inputs) of the two examples of a"
                " pair; null unless the input is pairs",
            ),
        ),
        "h",
        _pair_correlation,
    ),
    Diagnostic(
        (
            Column("w_mean", "mean of the weights as drawn"),
            Column("w_std", "standard deviation of the weights as drawn"),
        ),
        "weights",
        _weights,
    ),
    Diagnostic(
        (
            Column("g_mean", "mean of ∂L/∂h per example, over batch and units"),
            Column("g_std", "standard deviation of ∂L/∂h per example, over batch and units"),
        ),
        "backward",
        _gradient,
    ),
    Diagnostic(
        (
            Column("weight_grad_mean", "mean entry of ∂L/∂W, itself the mean over the batch"),
            Column("weight_grad_std", "standard deviation of the entries of ∂L/∂W"),
            Column("weight_grad_norm", "Frobenius norm of ∂L/∂W"),
        ),
        "backward",
        _weight_gradient,
    ),
    Diagnostic(
        (_counts("h_histogram", "histogram of h over its range", _HISTOGRAM_METADATA),),
        "h",
        _h_histogram,
    ),
    Diagnostic(
        (_counts("h_magnitude", "histogram of log10 |h|", _MAGNITUDE_METADATA),),
        "h",
        _h_magnitude,
    ),
    Diagnostic(
        (_counts("g_magnitude", "histogram of log10 |∂L/∂h|", _MAGNITUDE_METADATA),),
        "backward",
        _g_magnitude,
    ),
)

COLUMNS: tuple[Column, ...] = tuple(c for diagnostic in DIAGNOSTICS for c in diagnostic.columns)
