"""What the units of a layer have in common: moments of φ and φ' over N(M, S²), for many M and S at once.

For S = 0 they are the values themselves. Else they are sums over Gauss–Legendre panels, cut at the edges of
``panels.features``, or, for a periodic φ that is narrow beside S, Fourier sums. Roots of squares are given,
scaled on the way, since squares of what is within the range of numbers may be beyond it.
"""

from typing import NamedTuple

import numpy as np

from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.panels import ABSCISSAE, WEIGHTS, features, logarithms, outgrows_powers
from winit.network.pieces import rounded
from winit.network.quadrature import HARMONICS, fourier_coefficients, is_fourier

# Beyond so many standard deviations there is nothing, or, where φ is like eᶻ, beyond the other; panels of
# this width resolve a Gaussian.
_REACH, _FAR_REACH, _WIDTH = 14.0, 50.0, 2.0
# With a smaller S, eᶻ is not steep.
_STEEP = 1e-3
# Nodes at once.
_AT_ONCE = 1 << 19


class Moments(NamedTuple):
    """Over the units, each of the shape of M and S."""

    h: Array
    """E φ."""
    std: Array
    """Of φ."""
    rms: Array
    """√E φ²."""
    slope: Array
    """E φ'."""
    slope_rms: Array
    """√E φ'²."""


def moments(phi: Activation, mean: Array, std: Array) -> Moments:
    """Over N(mean, std²). What overflows is infinite or NaN."""
    if not std.any():
        h, slope = phi(mean)
        return Moments(h, np.zeros_like(h), np.abs(h), slope, np.abs(slope))
    # Of examples that have come to the same state one is enough.
    states, own = np.unique(rounded(np.stack([mean.ravel(), std.ravel()])), axis=1, return_inverse=True)
    found = np.empty((len(Moments._fields), states.shape[1]))
    waves = is_fourier(phi, states[1] ** 2)
    if waves.any():
        found[:, waves] = _by_waves(phi, *states[:, waves])
    left = np.flatnonzero(~waves)
    if phi.period is not None:
        states[0, left] = np.remainder(states[0, left], phi.period)
    nodes = (int(2 * _REACH / _WIDTH) + len(features(phi))) * len(WEIGHTS)
    rows = max(_AT_ONCE // nodes, 1)
    for start in range(0, len(left), rows):
        part = left[start : start + rows]
        found[:, part] = _by_panels(phi, *states[:, part])
    return Moments(*found[:, own.ravel()].reshape(-1, *mean.shape))


def _by_panels(phi: Activation, mean: Array, std: Array) -> Array:
    steep = outgrows_powers(phi) and bool((std > _STEEP).any())
    z, weights = _nodes(features(phi), mean, std, _FAR_REACH if steep else _REACH)
    h, slope = phi(z)
    if steep:
        return _in_logarithms(phi, z, weights)
    mean_h = _mean(weights, h)
    about = h - mean_h[:, None]
    return np.array(
        [mean_h, _rms(weights, about), _rms(weights, h), _mean(weights, slope), _rms(weights, slope)]
    )


def _mean(weights: Array, values: Array) -> Array:
    return (weights * values).sum(axis=1)


def _rms(weights: Array, values: Array) -> Array:
    scale = np.abs(values).max(axis=1)
    scale = np.where((scale > 0) & (scale < np.inf), scale, 1.0)
    return scale * np.sqrt((weights * (values / scale[:, None]) ** 2).sum(axis=1))


def _in_logarithms(phi: Activation, z: Array, weights: Array) -> Array:
    """The same where φ overflows at nodes whose weight is nothing."""
    log_weights = np.log(weights)
    found = []
    for h, slope in ((1, 0), (0, 1)):
        log, sign = logarithms(phi, z, h, slope)
        first = (sign * np.exp(log + log_weights)).sum(axis=1)
        largest = (2 * log + log_weights).max(axis=1, keepdims=True)
        squares = np.exp(2 * log + log_weights - largest).sum(axis=1)
        found += [first, np.exp(largest[:, 0] / 2) * np.sqrt(squares)]
    mean_h, rms, mean_slope, slope_rms = found
    std = rms * np.sqrt(np.maximum(1 - (mean_h / rms) ** 2, 0))
    return np.array([mean_h, np.where(rms < np.inf, std, rms), rms, mean_slope, slope_rms])


def _nodes(edges: Array, mean: Array, std: Array, reach: float) -> tuple[Array, Array]:
    """Nodes and weights of N(mean, std²) for each example, on panels cut where φ has edges."""
    even = np.linspace(-reach, reach, round(2 * reach / _WIDTH) + 1)
    own = (edges - mean[:, None]) / np.maximum(std, np.finfo(float).tiny)[:, None]
    inside = own[:, (np.abs(own) < reach).any(axis=0)]
    ends = np.hstack([np.broadcast_to(even, (len(mean), len(even))), np.clip(inside, -reach, reach)])
    ends.sort(axis=1)
    half = np.diff(ends)[..., None] / 2
    t = (ends[:, :-1, None] + half * (1 + ABSCISSAE)).reshape(len(mean), -1)
    weights = (half * WEIGHTS).reshape(len(mean), -1) * np.exp(-t * t / 2) / np.sqrt(2 * np.pi)
    return mean[:, None] + std[:, None] * t, weights


def _by_waves(phi: Activation, mean: Array, std: Array) -> Array:
    """E exp(iωz) = exp(iωM − ω²S²/2)."""
    assert phi.period is not None
    rates = 2 * np.pi / phi.period * HARMONICS
    turned = np.remainder(mean, phi.period)[:, None]
    waves = np.exp(1j * rates * turned - (rates * std[:, None]) ** 2 / 2)
    h, h2, slope, slope2 = (
        (waves @ fourier_coefficients(phi, *powers)).real for powers in ((1, 0), (2, 0), (0, 1), (0, 2))
    )
    return np.array([h, np.sqrt(h2 - h**2), np.sqrt(h2), slope, np.sqrt(slope2)])
