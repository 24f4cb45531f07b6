"""What is measured at every layer: the registry of diagnostics, and the columns they fill.

A diagnostic names the part of a layer that it looks at, and gives one value for each of its columns and
each network of a stack.
To add one, write its function and its entry in ``DIAGNOSTICS``: the Parquet schema, its
documentation and the tests over all columns follow from the entry.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from winit.network import statistics, summaries
from winit.network.activations import ACTIVATIONS, UNBOUNDED_RANGE, Activation
from winit.network.arrays import Array
from winit.network.columns import distinct_columns
from winit.network.cosines import cosines
from winit.network.propagation import Forward
from winit.network.statistics import Floats
from winit.network.summaries import Errors, Summary, summary

SATURATION = 0.05
"""A unit counts as saturated where |φ'(z)| is below this share of max |φ'|."""
COSINE_EXAMPLES = 64
"""Cosines are taken over the pairs of the first so many examples."""

Part = Literal["h", "z", "weights", "backward", "output"]
Kind = Literal["float", "count", "counts"]
Values = NDArray[np.generic]
"""Of each network, shape (networks,) or (networks, slots).

A float or count that is not defined is NaN or −1, and null in the files.
"""


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
    """The activations of one layer, as that layer's output and as the next one's inputs."""

    def __init__(self, h: Array, bins: tuple[float, float] | None = None) -> None:
        """``h`` has shape (networks, batch, units), ``bins`` are the ends of the histogram's range."""
        self._h: Array | None = h
        self._bins = bins
        self.shape = h.shape

    @property
    def h(self) -> Array:
        """The activations, shape (networks, batch, units)."""
        assert self._h is not None, "only what the next layer's ∂L/∂W needs was kept"
        return self._h

    @cached_property
    def summary(self) -> Summary:
        """Moments, ends, zeros and histograms of h."""
        return summary(self.h, self._bins, magnitudes=self._bins is not None)

    @cached_property
    def largest(self) -> Array:
        """max |h|, shape (networks,); NaN where an entry is NaN."""
        least, most = self.summary.ends.T
        return np.maximum(most, -least) + 0.0

    @cached_property
    def exponents(self) -> NDArray[np.int32]:
        """e, shape (networks,), so that products of h · 2^-e neither over- nor underflow."""
        return statistics.unusual_exponents(self.largest)

    @cached_property
    def scaled(self) -> Array:
        """h · 2^-e of each network; h itself where it is of ordinary size."""
        return scaled(self.h, self.exponents)

    @cached_property
    def gram(self) -> tuple[Floats, Array]:
        """The mean over units and the Gram matrix of h · 2^-e; one serves every backward pass."""
        return gram(self.h, self.exponents)

    def keep_for(self, fan_out: int) -> None:
        """Keep what the next layer's ∂L/∂W needs and nothing else: h · 2^-e, or its smaller Gram matrix."""
        _, batch, fan_in = self.shape
        _ = self.gram if gram_is_cheaper(batch, fan_in, fan_out) else self.scaled
        self._h = None


@dataclass(frozen=True)
class Activity:
    """A layer after its forward pass, or the input, which has h alone."""

    activation: Activation
    output: Inputs
    passed: Forward | None = None
    paired: bool = False
    """Whether the examples 2k and 2k + 1 are a pair."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What can be measured here: the input has been through no weights."""
        return ("h",) if self.passed is None else ("h", "z", "weights")


@dataclass(frozen=True)
class Sensitivity:
    """A layer after its backward pass, and what it was fed."""

    inputs: Inputs
    """Of each network, or of one where all share them."""
    errors: Errors
    parts: tuple[Part, ...] = ("backward",)


@dataclass(frozen=True)
class Output:
    """What the last hidden layer of each network becomes by the readout: y."""

    std: Floats
    """Shape (networks,); NaN where y is not finite."""
    parts: tuple[Part, ...] = ("output",)


@dataclass(frozen=True)
class Diagnostic:
    """One measurement. ``of`` says which part of a layer it needs; where that is missing, so is it."""

    columns: tuple[Column, ...]
    of: Part
    measure: Callable[[Any], Sequence[Values] | Values]

    @property
    def counts(self) -> bool:
        """Whether it is a histogram, which a probe may leave out."""
        return self.columns[0].kind == "counts"


def scaled(values: Array, exponents: NDArray[np.int32]) -> Array:
    """Each network's ``values`` · 2^-e, which is exact; e is 0 where they are of ordinary size."""
    return statistics.divided(values, exponents) if exponents.any() else values


def gram(values: Array, exponents: NDArray[np.int32]) -> tuple[Floats, Array]:
    """Of ``values`` · 2^-e the mean of each example over its units, and V Vᵀ of what V is left without it.

    Shapes (networks, batch) and (networks, batch, batch). Without the centring, equal entries would leave
    products of rounding.
    """
    means, rest = statistics.centred(values, exponents)
    return means, np.matmul(rest, rest.transpose(0, 2, 1))


def gram_is_cheaper(batch: int, fan_in: int, fan_out: int) -> bool:
    """Whether h hᵀ and δ δᵀ, symmetric and so half computed by BLAS, cost less than hᵀδ."""
    return batch * (fan_in + fan_out) < 2 * fan_in * fan_out


def _pre_activation(layer: Activity) -> Sequence[Values] | Values:
    assert layer.passed is not None
    return layer.passed.z_moments.T[:2]


def _activation(layer: Activity) -> Sequence[Values] | Values:
    output = layer.output
    zeros = output.summary.zeros / output.h[0].size
    return *output.summary.moments.T, *output.summary.ends.T, zeros


def _nonfinite(layer: Activity) -> Sequence[Values] | Values:
    share = np.zeros(len(layer.output.h))
    # A mean of finite entries is finite, and so is one that is not.
    doubtful = np.isnan(layer.output.summary.moments[:, 0])
    if layer.passed is not None:
        doubtful |= np.isnan(layer.passed.z_moments[:, 0])
    for k in np.flatnonzero(doubtful):
        finite = np.isfinite(layer.output.h[k])
        if layer.passed is not None:
            finite &= np.isfinite(layer.passed.z[k])
        share[k] = (finite.size - np.count_nonzero(finite)) / finite.size
    return (share,)


def _derivative(layer: Activity) -> Sequence[Values] | Values:
    assert layer.passed is not None
    threshold = SATURATION * layer.activation.largest_derivative
    return statistics.derivative_statistics(layer.passed.derivative, threshold).T


def _distinct_units(layer: Activity) -> Sequence[Values] | Values:
    return (distinct_columns(layer.output.h, layer.output.largest),)


def _distinct_errors(layer: Sensitivity) -> Sequence[Values] | Values:
    return (distinct_columns(layer.errors.delta, layer.errors.largest),)


def _cosine(layer: Activity) -> Sequence[Values] | Values:
    # Sums over an array with gaps are compiled otherwise: a network alone, which has none, has other bits.
    examples = np.ascontiguousarray(layer.output.h[:, :COSINE_EXAMPLES])
    return cosines(examples).T


def _pair_correlation(layer: Activity) -> Sequence[Values] | Values:
    if not layer.paired:
        return (np.full(len(layer.output.h), np.nan),)
    signal = layer.output.h if layer.passed is None else layer.passed.z
    largest = np.abs(signal).max(axis=2, keepdims=True).astype(np.float64)
    units = signal / np.where(largest > 0, largest, np.nan)
    first, second = units[:, ::2], units[:, 1::2]
    norms = np.linalg.norm(first, axis=2) * np.linalg.norm(second, axis=2)
    return (((first * second).sum(axis=2) / norms).mean(axis=1),)


def _weights(layer: Activity) -> Sequence[Values] | Values:
    assert layer.passed is not None
    return np.array([weights.moments for weights in layer.passed.weights]).T


def _gradient(layer: Sensitivity) -> Sequence[Values] | Values:
    return layer.errors.moments.T[:2]


def _weight_gradient(layer: Sensitivity) -> Sequence[Values] | Values:
    """Moments of ∂L/∂W = hᵀδ / batch, in float64, beyond the range of the dtype."""
    inputs, delta = layer.inputs, layer.errors.delta
    _, batch, fan_in = inputs.shape
    fan_out = delta.shape[2]
    exponents = statistics.unusual_exponents(layer.errors.largest)
    if gram_is_cheaper(batch, fan_in, fan_out):
        mean, variance = _product_moments(inputs, delta, exponents)
    else:
        gradients = np.empty((len(delta), fan_in, fan_out), delta.dtype)
        for k, factor in enumerate(scaled(delta, exponents)):
            np.matmul(inputs.scaled[min(k, len(inputs.scaled) - 1)].T, factor, out=gradients[k])
        mean, std, _ = statistics.moments(gradients).T
        variance = std**2
    unit = np.ldexp(1.0 / batch, inputs.exponents + exponents)
    norm = np.sqrt(fan_in * fan_out * (variance + mean**2))
    found = np.array((mean, np.sqrt(variance), norm)) * unit
    found[:, ~np.isfinite(layer.errors.largest + inputs.largest)] = np.nan
    return found


def _product_moments(inputs: Inputs, delta: Array, exponents: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Mean and variance of the entries of hᵀδ, for a batch below the width, without hᵀδ; both are scaled.

    With h = a 1ᵀ + H and δ = c 1ᵀ + D, where a and c are the means over units, hᵀδ is the sum of (a·c) 1 1ᵀ,
    1 (Dᵀa)ᵀ, (Hᵀc) 1ᵀ and HᵀD. These are orthogonal, since the rows of H and D sum to zero; and
    ‖HᵀD‖² = Σ (H Hᵀ) ⊙ (D Dᵀ), ‖Dᵀa‖² = aᵀ (D Dᵀ) a, ‖Hᵀc‖² = cᵀ (H Hᵀ) c.
    """
    fan_in, fan_out = inputs.shape[2], delta.shape[2]
    of_h, of_delta = inputs.gram, gram(delta, exponents)
    means, squares = np.empty(len(delta)), np.empty(len(delta))
    for k in range(len(delta)):
        shared = min(k, len(of_h[0]) - 1)
        a, hh, c, dd = of_h[0][shared], of_h[1][shared], of_delta[0][k], of_delta[1][k]
        means[k] = a @ c
        product, of_c, of_a = statistics.forms(hh, dd, c, a)
        squares[k] = product + fan_in * max(of_a, 0.0) + fan_out * max(of_c, 0.0)
    return means, np.maximum(squares, 0.0) / (fan_in * fan_out)


def _output(layer: Output) -> Sequence[Values] | Values:
    return (layer.std,)


def _h_histogram(layer: Activity) -> Sequence[Values] | Values:
    return (layer.output.summary.histogram,)


def _h_magnitude(layer: Activity) -> Sequence[Values] | Values:
    return (layer.output.summary.magnitudes,)


def _g_magnitude(layer: Sensitivity) -> Sequence[Values] | Values:
    return (layer.errors.magnitudes,)


_BINS = summaries.HISTOGRAM_BINS
_FIRST, _LAST = summaries.MAGNITUDE_DECADES
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
    slots = summaries.MAGNITUDE_SLOTS
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
        (
            Column(
                "y_std",
                "standard deviation of the outputs y = h W_out, over batch and outputs; null but in the row"
                " of the last layer",
            ),
        ),
        "output",
        _output,
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
