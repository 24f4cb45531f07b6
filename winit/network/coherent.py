"""Theory for i.i.d. weights whose mean is not zero: constants, U(0, 1), and the like.

The mean μ of the weights adds up what the units of a layer have in common: of one example, the
pre-activations of a layer are N(M, V) over its units, in the limit of large widths, with

    M_{l+1} = μ n_l E φ(z) + E b,   V_{l+1} = σ_w² E φ(z)² + σ_b²,   z ~ N(M_l, V_l)

where M_1 = μ Σ x depends on the example. Backward, with A = E Γ² of the part of g that all units share and B
the variance about it,

    A_{l-1} = μ² (n_l² E[φ']² A + n_l (E φ'² (A + B) − E[φ']² A)),   B_{l-1} = Var W n_l E φ'² (A + B)

For constant weights V and B are 0 and this is exact. Means over the examples are integrals over Σx, taken on
``pieces`` that are cut until everything that a layer does is resolved: the gradient of a saturating network
comes from a few examples with Σx about 0, ever fewer with every layer. They are settled to a relative error
of 1e-6. Where layers fold the examples over and over (a sine between constant weights) there would be no end
of pieces: the largest are cut, the others count as samples, and a gradient whose standard error is then more
than 2 % is not predicted. Roots of squares are followed, and gradients in logarithms, so that only what is
itself beyond the range of float64 is 0 or inf.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.inputs import NormalSums, Population
from winit.network.panels import NODES, TO_LEGENDRE, features, noise, outgrows_powers
from winit.network.pieces import (
    ROUNDING,
    Cut,
    Merger,
    Pieces,
    cut_at,
    given_pieces,
    joined,
    merged,
    normal_pieces,
    snapped,
)
from winit.network.units import Moments, moments

Flags = NDArray[np.bool_]

# What a piece's last coefficients may be: relative to the largest value in it, to the noise of φ, and to that
# of M and S; and what is rounding, or the error of integrals over units, relative to the largest values.
_RESOLVED, _ABOVE_NOISE, _NOISES, _ROUNDING, _INTEGRATED = 1e-11, 8.0, 8.0, 2.0**-48, 1e-12
# The most pieces, and how often one is cut in two in one layer: to 1e-12 of itself.
_MOST_PIECES, _CUTS = 2048, 60
# The relative standard error of a gradient's square from which on nothing is said of it.
_SETTLED = 0.04


@dataclass(frozen=True)
class Scales:
    """Standard deviations and means of the weights and biases of the layers, NaN for the input."""

    weight_std: Array
    weight_mean: Array
    bias_std: Array
    bias_mean: Array


@dataclass(frozen=True)
class Signal:
    """Over the batch and the units of the layers 0 … depth; NaN where nothing is predicted."""

    z_rms: Array
    """Root of the mean square of the pre-activations."""
    z_std: Array
    h_mean: Array
    h_std: Array
    h_rms: Array
    g_std_ratio: Array
    y_std: float
    """Of the outputs."""


@dataclass(frozen=True)
class _Layer:
    """What the backward pass needs of a layer, on the pieces that it has cut."""

    log_weights: Array
    slope: Array
    """log |E φ'| at the nodes."""
    slope_rms: Array
    """log √E φ'²."""
    fixed: Flags
    cut: Cut
    """From the pieces that came in, ``incoming`` of them."""
    incoming: int
    merger: Merger
    """To the pieces that go on."""


def signal(
    activation: Activation,
    scales: Scales,
    readout: tuple[float, float],
    fans: tuple[int, ...],
    population: Population,
    outputs: int,
) -> Signal:
    """What is predicted for networks whose layers have ``fans`` units; ``readout`` is its std and mean."""
    rows = [(np.nan, np.nan, *population.moments)]
    layers: list[_Layer] = []
    with np.errstate(all="ignore"):
        growths = _growths(activation, scales, fans)
        pieces = _first(activation, scales, fans[0], population)
        for index, fan_out in enumerate(fans[1:], 1):
            last = index + 1 == len(fans)
            # How S of the next layer compares with M.
            means, stds = np.abs(scales.weight_mean), scales.weight_std
            spreads = 0.0 if last else stds[index + 1] / (means[index + 1] * np.sqrt(fan_out))
            incoming = len(pieces)
            pieces, cut, found = _resolved(activation, pieces, spreads, np.exp(-growths[index:].sum()))
            rows.append(_over_examples(pieces, found))
            if last:
                y_std = _output_std(readout, fan_out, pieces, found)
                going_on, merger = pieces, Merger(np.arange(len(pieces)), np.zeros(len(pieces), np.bool_))
            else:
                mean = scales.weight_mean[index + 1] * fan_out * found.h + scales.bias_mean[index + 1]
                weight_std = scales.weight_std[index + 1] * np.sqrt(fan_out)
                std = np.hypot(weight_std * found.rms, scales.bias_std[index + 1])
                rounding = _steepest(found) * pieces.noise + ROUNDING * found.rms.max(axis=1)
                noise_ = (abs(scales.weight_mean[index + 1]) * fan_out + weight_std) * rounding
                going_on, merger = merged(Pieces(mean, std, pieces.log_density, pieces.fixed, noise_))
            slope, slope_rms = np.log(np.abs(found.slope)), np.log(found.slope_rms)
            layers.append(_Layer(pieces.log_weights, slope, slope_rms, pieces.fixed, cut, incoming, merger))
            pieces = going_on
        ratios = list(_ratios(scales, readout, fans, layers, outputs))
    z_rms, z_std, h_mean, h_std, h_rms = np.array(rows).T
    return Signal(z_rms, z_std, h_mean, h_std, h_rms, np.array([np.nan, *ratios[::-1]]), y_std)


def _growths(activation: Activation, scales: Scales, fans: tuple[int, ...]) -> Array:
    """By what layers 2 … depth may make a difference between two examples larger, as logarithms; not below 0.

    The first entry is that of layer 1, which has none before it: 0.
    """
    fan_in = np.array(fans[1:-1], float)
    means, stds = np.abs(scales.weight_mean[2:]) * fan_in, scales.weight_std[2:] * np.sqrt(fan_in)
    growths = np.log(activation.largest_derivative * (means + stds))
    return np.append(0.0, np.maximum(growths, 0.0))


def _first(activation: Activation, scales: Scales, width: int, population: Population) -> Pieces:
    """The examples as the first layer has them."""
    weight_mean, bias_mean = scales.weight_mean[1], scales.bias_mean[1]
    weight_std = scales.weight_std[1] * np.sqrt(width)
    if isinstance(population, NormalSums):
        std = float(np.hypot(weight_std * np.sqrt(population.square), scales.bias_std[1]))
        reach = population.far_reach if outgrows_powers(activation) else population.reach
        mean, slope = weight_mean * population.mean + bias_mean, weight_mean * population.std
        pieces = normal_pieces(mean, slope, std, -reach, reach)
    else:
        std = np.hypot(weight_std * np.sqrt(population.squares), scales.bias_std[1])
        pieces = given_pieces(weight_mean * population.sums + bias_mean, std)
    return merged(pieces)[0]


# Forward


def _resolved(
    activation: Activation, pieces: Pieces, spreads: float, least: float
) -> tuple[Pieces, Cut, Moments]:
    """The pieces cut until what the layer makes of each is a polynomial; how they were cut; what it is.

    What is less than ``least`` of the largest is nothing in the last layer either.
    """
    if pieces.mean.shape[1] != NODES:
        return pieces, Cut.none(len(pieces)), moments(activation, pieces.mean, pieces.std)
    edges = _edges(activation)
    pieces = snapped(pieces, edges)
    cut = cut_at(pieces, edges, _MOST_PIECES)
    parts = cut.of(pieces)
    found = moments(activation, parts.mean, parts.std)
    largest = float((np.abs(parts.mean) + parts.std).max())
    smallest = least * float(found.rms.max())
    open_ = _unresolved(activation, parts, found, spreads, largest, smallest)
    for _ in range(_CUTS):
        wide = np.flatnonzero(open_)
        if not len(wide):
            break
        room = (_MOST_PIECES - len(parts)) if len(parts) + len(wide) > _MOST_PIECES else len(wide)
        wide = wide[np.argsort(-parts.log_weights[wide].max(axis=1), kind="stable")]
        halves, samples = cut.at(wide[:room]).in_two(), cut.at(wide[room:]).sampled()
        new = joined(halves.of(pieces), samples.of(pieces, fixed=True))
        cut = cut.at(~open_) + halves + samples
        parts = joined(parts.at(~open_), new)
        new_found = moments(activation, new.mean, new.std)
        open_new = _unresolved(activation, new, new_found, spreads, largest, smallest)
        found = Moments(
            *(np.concatenate([old[~open_], own]) for old, own in zip(found, new_found, strict=True))
        )
        open_ = np.append(np.zeros(len(parts) - len(new), np.bool_), open_new)
    return parts, cut, found


def _edges(activation: Activation) -> Array:
    """Where pieces are cut before it is seen what they need: never at 0, unless φ has a kink there.

    In many networks examples at 0 stay there, and what is about them is all that gradients come from. Of two
    pieces that meet at 0 each has its own rounding, which layers make larger, so that they overlap in the
    end, or have what counts between them.
    """
    edges = features(activation)
    return edges[(edges != 0) | (0.0 in activation.kinks)]


def _unresolved(
    activation: Activation,
    parts: Pieces,
    found: Moments,
    spreads: float,
    largest: float,
    smallest: float,
) -> Flags:
    """Where no polynomial of the nodes' degree is what the next layer is fed, or what gradients meet."""
    tolerance = max(_RESOLVED, _ABOVE_NOISE * noise(activation))
    steepness = activation.largest_derivative
    # What is nothing beside the other examples may have come from rounding itself.
    something = (np.abs(parts.mean) + parts.std).max(axis=1) > _ROUNDING * largest
    own = np.where(parts.std.any(axis=1), _INTEGRATED, _ROUNDING)
    size = found.rms.max(axis=1) + steepness * parts.std.max(axis=1)
    rounding = own * np.maximum(size, smallest) + _NOISES * _steepest(found) * parts.noise
    steepest = steepness * (own + _NOISES * steepness * parts.noise)
    open_ = _rough(found.h, tolerance, rounding) | _rough(found.slope, tolerance, steepest)
    varied = found.std.any(axis=1)
    if varied.any():
        open_ |= varied & _rough(found.std, tolerance, rounding)
        open_ |= varied & _rough(found.slope_rms, tolerance, steepest)
    if spreads:
        # As S becomes small √E φ² has a kink where E φ is 0, which then makes no difference.
        open_ |= _rough(found.rms, tolerance / min(spreads, 1.0), rounding)
    return open_ & something & ~parts.fixed


def _steepest(found: Moments) -> Array:
    """The largest |φ'| that counts in each piece."""
    return found.slope_rms.max(axis=1)


def _rough(values: Array, tolerance: float, rounding: float | Array) -> Flags:
    scale = np.abs(values).max(axis=1)
    last = np.abs((values / scale[:, None]) @ TO_LEGENDRE[:, -2:]).max(axis=1) * scale
    return np.isfinite(scale) & (last > tolerance * scale + rounding)


def _over_examples(pieces: Pieces, found: Moments) -> tuple[float, float, float, float, float]:
    """``z_rms``, ``z_std``, ``h_mean``, ``h_std`` and ``h_rms``."""
    shares = pieces.shares / pieces.shares.sum()
    return (
        _rms(shares, np.hypot(pieces.mean, pieces.std)),
        _std(shares, pieces.mean, pieces.std),
        _mean(shares, found.h),
        _std(shares, found.h, found.std),
        _rms(shares, found.rms),
    )


def _output_std(readout: tuple[float, float], fan_in: int, pieces: Pieces, found: Moments) -> float:
    """Of y: what the readout, its std and mean, makes of the last layer, as of the layers before."""
    std, mean = readout
    spread = std * np.sqrt(fan_in) * found.rms if std else np.zeros_like(found.rms)
    return _std(pieces.shares / pieces.shares.sum(), mean * fan_in * found.h, spread)


def _mean(shares: Array, values: Array) -> float:
    return float((shares * values)[shares > 0].sum())


def _rms(shares: Array, values: Array) -> float:
    """Squares of what is within the range of numbers may be beyond it."""
    there = shares > 0
    scale = np.abs(values[there]).max()
    if not 0 < scale < np.inf:
        return float(scale)
    return float(scale * np.sqrt((shares * (values / scale) ** 2)[there].sum()))


def _std(shares: Array, mean: Array, std: Array) -> float:
    """Over all examples, from those of each: nothing cancels where both are all but equal."""
    if np.isinf(mean[shares > 0]).any():
        return np.inf
    return _rms(shares, np.hypot(mean - _mean(shares, mean), std))


# Backward


def _ratios(
    scales: Scales, readout: tuple[float, float], fans: tuple[int, ...], layers: list[_Layer], outputs: int
) -> Iterator[float]:
    """g_std of each layer ÷ that of the last one, from the last one on."""
    std, mean = readout
    # Of each node, its weight times A and B: these numbers times e to the power of one for each piece.
    last = layers[-1]
    masses = _Masses.of(last.log_weights + np.log(outputs * np.array([mean, std]) ** 2)[:, None, None])
    whole = masses.log_sum()
    settled = True
    yield 1.0
    for index in range(len(layers), 1, -1):
        layer = layers[index - 1]
        factors = _factors(layer, scales.weight_mean[index], scales.weight_std[index], fans[index])
        if np.isposinf(factors).any():  # φ' is beyond all numbers, and with it all that comes below
            yield from [np.inf] * (index - 1)
            return
        masses = masses.through(factors)
        settled = settled and masses.error(layer) < _SETTLED
        yield float(np.exp((masses.log_sum() - whole) / 2)) if settled else np.nan
        masses = masses.to_incoming(layer).to_before(layers[index - 2], layer.incoming)


def _factors(layer: _Layer, mean: float, std: float, n: int) -> Array:
    """Logarithms of what A and B (second axis) of a layer give to A and B (first axis) of the one below."""
    log_mean, log_std, log_n = np.log(np.abs([mean, std, n]))
    common, every = 2 * layer.slope, 2 * layer.slope_rms
    to_common = log_n + 2 * log_mean
    from_common = to_common + np.logaddexp(np.log(max(n - 1, 0)) + common, every)
    about = 2 * log_std + log_n + every
    return np.array([[from_common, to_common + every], [about, about]])


@dataclass(frozen=True)
class _Masses:
    """Weights times A and B at the nodes: ``values``, (2, pieces, nodes), times eˢ, one s for each piece."""

    values: Array
    scale: Array

    @classmethod
    def of(cls, logs: Array) -> "_Masses":
        scale = logs.max(axis=(0, 2))
        scale = np.where(np.isfinite(scale), scale, 0.0)
        return cls(np.exp(logs - scale[:, None]), scale)

    def log_sum(self) -> float:
        """Of all of them."""
        sums = self.values.sum(axis=(0, 2))
        largest = self.scale[sums != 0].max(initial=-np.inf)
        if not np.isfinite(largest):
            return float(largest)
        return float(largest + np.log((sums * np.exp(self.scale - largest)).sum()))

    def through(self, log_factors: Array) -> "_Masses":
        """Those of the layer below; ``log_factors`` has the shape (2, 2, pieces, nodes)."""
        largest = log_factors.max(axis=(0, 1, 3))
        largest = np.where(np.isfinite(largest), largest, 0.0)
        factors = np.exp(log_factors - largest[:, None])
        return _Masses((factors * self.values).sum(axis=1), self.scale + largest).renewed()

    def renewed(self) -> "_Masses":
        """The same, with the largest value of each piece about 1."""
        size = np.abs(self.values).max(axis=(0, 2))
        size = np.where(size > 0, size, 1.0)
        return _Masses(self.values / size[:, None], self.scale + np.log(size))

    def error(self, layer: _Layer) -> float:
        """The relative standard error of their sum, as far as it is of samples."""
        if self.values.shape[2] == 1 or not layer.fixed.any():
            return 0.0
        sums = self.values.sum(axis=0)
        weights = np.exp(layer.log_weights - layer.log_weights.max(axis=1, keepdims=True))
        stray = sums - weights * (sums.sum(axis=1) / weights.sum(axis=1))[:, None]
        largest = self.scale[(sums != 0).any(axis=1)].max(initial=-np.inf)
        if not np.isfinite(largest):
            return 0.0
        size = np.exp(self.scale - largest)
        variance = (size**2 * (stray**2).sum(axis=1))[layer.fixed].sum()
        return float(np.sqrt(variance) / (size * sums.sum(axis=1)).sum())

    def to_incoming(self, layer: _Layer) -> "_Masses":
        """At the nodes of the pieces that came into a layer, where they integrate polynomials as before."""
        values = self.values.copy()
        parts = np.flatnonzero(~layer.cut.whole)
        if not len(parts):
            return self._gathered(values, layer.cut.parent, layer.incoming)
        matrix = layer.cut.at(parts).interpolation()
        values[:, parts] = np.einsum("ckn,knm->ckm", values[:, parts], matrix)
        return self._gathered(values, layer.cut.parent, layer.incoming)

    def _gathered(self, values: Array, parent: NDArray[np.intp], count: int) -> "_Masses":
        # The scale of nothing may be any.
        own = np.where(values.any(axis=(0, 2)), self.scale, -np.inf)
        scale = np.full(count, -np.inf)
        np.maximum.at(scale, parent, own)
        scale = np.where(np.isfinite(scale), scale, 0.0)
        total = np.zeros((count, 2, values.shape[2]))
        np.add.at(total, parent, np.moveaxis(values, 0, 1) * np.exp(own - scale[parent])[:, None, None])
        return _Masses(np.moveaxis(total, 1, 0), scale).renewed()

    def to_before(self, before: _Layer, count: int) -> "_Masses":
        """At the nodes of the layer ``before``, whose pieces became ``count``: each its share.

        What arrived at the piece that several became is shared out by their weights.
        """
        group, several = before.merger.group, before.merger.merged
        values, scale = self.values[:, group], self.scale[group]
        own = group[several]
        if not len(own):
            return _Masses(values, scale)
        log_weights = before.log_weights[several]
        total = np.full(count, -np.inf)
        np.logaddexp.at(total, own, np.logaddexp.reduce(log_weights, axis=1))
        shares = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
        values[:, several] = self.values.sum(axis=2)[:, own, None] * shares
        scale[several] += log_weights.max(axis=1) - total[own]
        return _Masses(values, scale).renewed()
