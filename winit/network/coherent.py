"""Theory for i.i.d. weights whose mean is not zero: constants, U(0, 1), and the like.

The mean μ of the weights adds up what the units of a layer have in common: of one example, the
pre-activations of a layer are N(M, V) over its units, in the limit of large widths, with

    M_{l+1} = μ n_l E φ(z) + E b,   V_{l+1} = σ_w² E φ(z)² + σ_b²,   z ~ N(M_l, V_l)

where M_1 = μ Σ x hangs on the example. Backward, with A = E Γ² of the part of g that all units share and B
the variance about it,

    A_{l-1} = μ² (n_l² E[φ']² A + n_l (E φ'² (A + B) − E[φ']² A)),   B_{l-1} = Var W n_l E φ'² (A + B)

For constant weights V and B are 0 and this is exact. Examples are followed one by one, on nodes of
their distribution.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.inputs import Population
from winit.network.panels import ABSCISSAE, WEIGHTS, features

Floats = NDArray[np.float64]

# Beyond so many standard deviations there is nothing; panels of this width resolve a Gaussian.
_REACH, _WIDTH = 9.0, 2.0


@dataclass(frozen=True)
class Scales:
    """Standard deviations and means of the weights and biases of the layers, NaN for the input."""

    weight_std: Floats
    weight_mean: Floats
    bias_std: Floats
    bias_mean: Floats


@dataclass(frozen=True)
class Signal:
    """Over the batch and the units of the layers 0 … depth; NaN where nothing is predicted."""

    q: Floats
    """Mean square of the pre-activations."""
    z_std: Floats
    h_mean: Floats
    h_std: Floats
    h_second_moment: Floats
    g_std_ratio: Floats


@dataclass(frozen=True)
class _Moments:
    """Of each example, over the units of a layer: E φ, Var φ, E φ², E φ' and E φ'²."""

    h: Floats
    variance: Floats
    square: Floats
    slope: Floats
    slope_square: Floats


def signal(
    activation: Activation,
    scales: Scales,
    readout: tuple[float, float],
    fans: tuple[int, ...],
    population: Population,
    outputs: int,
) -> Signal:
    """What is predicted for networks whose layers have ``fans`` units; ``readout`` is its std and mean."""
    share = population.share
    sums, squares = population.sums, population.squares * fans[0]
    q, z_std = [np.nan], [np.nan]
    h_mean, second = [float(share @ sums) / fans[0]], [float(share @ squares) / fans[0]]
    h_std = [float(np.sqrt(second[0] - h_mean[0] ** 2))]
    layers: list[_Moments] = []
    with np.errstate(all="ignore"):
        for index, fan_out in enumerate(fans[1:], 1):
            mean = scales.weight_mean[index] * sums + scales.bias_mean[index]
            variance = scales.weight_std[index] ** 2 * squares + scales.bias_std[index] ** 2
            layers.append(moments := _moments(activation, mean, variance))
            q.append(float(share @ (mean**2 + variance)))
            z_std.append(_std(share, mean, variance))
            h_mean.append(float(share @ moments.h))
            h_std.append(_std(share, moments.h, moments.variance))
            second.append(float(share @ moments.square))
            sums, squares = fan_out * moments.h, fan_out * moments.square
        ratios = _ratios(scales, readout, fans, layers, share, outputs)
    return Signal(*(np.array(part) for part in (q, z_std, h_mean, h_std, second, ratios)))


def _std(share: Floats, mean: Floats, variance: Floats) -> float:
    """Over all examples, from the mean and variance of each: nothing cancels where both are all but equal."""
    return float(np.sqrt(share @ variance + share @ (mean - share @ mean) ** 2))


def _ratios(
    scales: Scales,
    readout: tuple[float, float],
    fans: tuple[int, ...],
    layers: list[_Moments],
    share: Floats,
    outputs: int,
) -> list[float]:
    """g_std of each layer ÷ that of the last one; NaN for the input."""
    std, mean = readout
    common = np.full(len(share), outputs * mean**2)
    about = np.full(len(share), outputs * std**2)
    found = [float(share @ (common + about))]
    for index in range(len(layers), 1, -1):
        layer, n = layers[index - 1], fans[index]
        square = layer.slope_square * (common + about)
        coherent = layer.slope**2 * common
        common = scales.weight_mean[index] ** 2 * (n**2 * coherent + n * (square - coherent))
        about = scales.weight_std[index] ** 2 * n * square
        found.append(float(share @ (common + about)))
    return [np.nan, *np.sqrt(np.array(found[::-1]) / found[0]).tolist()]


def _moments(activation: Activation, mean: Floats, variance: Floats) -> _Moments:
    """Over N(mean, variance), each of shape (examples,)."""
    z, weights = _nodes(features(activation), mean, np.sqrt(variance))
    h, slope = activation(z)
    mean_h = (weights * h).sum(axis=1)
    about = h - mean_h[:, np.newaxis]
    rest = ((weights * part).sum(axis=1) for part in (about**2, h * h, slope, slope * slope))
    return _Moments(mean_h, *rest)


def _nodes(edges: Array, mean: Floats, std: Floats) -> tuple[Floats, Floats]:
    """Nodes and weights of N(mean, std²) for each example, on panels cut where φ has edges."""
    if not std.any():
        return mean[:, np.newaxis], np.ones((len(mean), 1))
    even = np.linspace(-_REACH, _REACH, round(2 * _REACH / _WIDTH) + 1)
    own = (edges - mean[:, np.newaxis]) / np.maximum(std, np.finfo(float).tiny)[:, np.newaxis]
    inside = own[:, (np.abs(own) < _REACH).any(axis=0)]
    ends = np.hstack([np.broadcast_to(even, (len(mean), len(even))), np.clip(inside, -_REACH, _REACH)])
    ends.sort(axis=1)
    half = np.diff(ends)[..., np.newaxis] / 2
    t = (ends[:, :-1, np.newaxis] + half * (1 + ABSCISSAE)).reshape(len(mean), -1)
    weights = (half * WEIGHTS).reshape(len(mean), -1) * np.exp(-t * t / 2) / np.sqrt(2 * np.pi)
    return mean[:, np.newaxis] + std[:, np.newaxis] * t, weights
