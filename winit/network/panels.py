"""Where an activation φ is smooth: panels on each of which a polynomial resolves φ and φ'.

They begin as octaves, 2ᵏ ≤ |u| ≤ 2ᵏ⁺¹, cut at the kinks that φ declares. Those that are not resolved are
bisected, which closes in on a kink that is not declared, and neighbours that one polynomial resolves
together are joined again, so that relu ends with two panels and tanh with a dozen. All this is in
logarithms, log |φ|, which go on in a straight line where φ itself overflows.

A feature can be missed: a kink is found if it shows at a panel's 16 nodes. Octaves go on inward of 1e-6 and
outward of 1e15 as far as φ is not smooth there, and a φ that has a period has its octaves about that. What is
not smooth anywhere, or oscillates too fast, is left as it is.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from winit.network.activations import Activation
from winit.network.arrays import Array

Flags = NDArray[np.bool_]

NODES = 16
ABSCISSAE, WEIGHTS = legendre.leggauss(NODES)
"""The Gauss–Legendre rule of a panel, on [−1, 1]."""

TO_LEGENDRE = WEIGHTS[:, None] * legendre.legvander(ABSCISSAE, NODES - 1) * (np.arange(NODES) + 0.5)
"""values @ TO_LEGENDRE are the coefficients of the polynomial through a panel's nodes."""

# Where octaves begin and end, unless φ is not smooth farther in or out; and how far they are looked for then.
_NEAREST, _FARTHEST = 2.0**-20, 2.0**50
_INMOST, _OUTMOST = 2.0**-960, 2.0**480
_NEAREST_PERIODS, _FARTHEST_PERIODS = 2.0**-20, 16.0
# Of the fastest wave that noise is looked for in as in anything else.
_SLOW = 100.0
# What a panel's last coefficients may be: relative to φ, to its noise, and to the largest within |u| ≤ 1,
# whose rounding nothing resolves.
_RESOLVED, _ABOVE_NOISE, _ROUNDING = 1e-12, 8.0, 2.0**-48
# Panels that show noise alone have this width relative to the distance from 0.
_NARROW = 1e-5
# Bisection ends at this width relative to the distance from 0, and at this number of panels.
_NARROWEST, _MOST_PANELS, _AT_ONCE = 1e-13, 3000, 256
# Beyond it, not even E φ is finite wherever φ matters.
_LARGEST_LOG = 2 * float(np.log(np.finfo(float).max))
_LARGEST_ARGUMENT = 1e150


class Logarithms(NamedTuple):
    """log |f| and the sign of f, so that f = sign · exp(log)."""

    log: Array
    sign: Array


class _Overflow(NamedTuple):
    """The ends of the range where φ and φ' are finite, and the slopes of log |φ| and log |φ'| there."""

    low: float
    high: float
    slopes_low: Array
    slopes_high: Array


def logarithms(phi: Activation, u: Array, h: int, slope: int) -> Logarithms:
    """φ^h φ'^slope at u. Where φ or φ' overflows, its logarithm goes on in a straight line."""
    ends = _overflow(phi)
    inside = u if ends is None else np.clip(u, ends.low, ends.high)
    log, sign = np.zeros(()), np.ones(())
    with np.errstate(all="ignore"):
        for part, (value, power) in enumerate(zip(phi(inside), (h, slope), strict=True)):
            if power:
                log = log + power * np.log(np.abs(value))
                sign = sign * np.sign(value) ** power
                if ends is not None:
                    line = np.where(u > 0, ends.slopes_high[part], ends.slopes_low[part])
                    log = log + power * line * (u - inside)
    return Logarithms(log, sign)


@lru_cache(maxsize=256)
def _overflow(phi: Activation) -> _Overflow | None:
    """Where φ or φ' is not finite any more; None where they always are."""
    ends = _last_finite(phi, -1.0), _last_finite(phi, 1.0)
    if ends == (-_LARGEST_ARGUMENT, _LARGEST_ARGUMENT):
        return None
    return _Overflow(*ends, *(_last_slopes(phi, end) for end in ends))


def _last_finite(phi: Activation, side: float) -> float:
    def finite(size: float) -> bool:
        with np.errstate(all="ignore"):
            return bool(np.isfinite(phi(np.array([side * size]))).all())

    low, high = 1.0, _LARGEST_ARGUMENT
    if finite(high):
        return side * high
    while high > low * (1 + 1e-15) and low < (middle := math.sqrt(low * high)) < high:
        low, high = (middle, high) if finite(middle) else (low, middle)
    return side * low


def _last_slopes(phi: Activation, end: float) -> Array:
    """Of log |φ| and log |φ'| before ``end``; 0 where they are 0."""
    step = end / 64
    with np.errstate(all="ignore"):
        before, last = np.log(np.abs(phi(np.array([end - step, end])))).T
        return np.nan_to_num((last - before) / step, nan=0.0, posinf=0.0, neginf=0.0)


@lru_cache(maxsize=256)
def features(phi: Activation) -> Array:
    """The edges of the panels, ascending, 0 among them; beyond the outermost φ is smooth as well."""
    nearest, farthest = _ends(phi)
    octaves = farthest * 2.0 ** -np.arange(round(np.log2(farthest / nearest)) + 1)
    kinks = phi.kinks
    edges = np.unique([0.0, *octaves, *-octaves, *kinks])
    left, right, resolved = _bisected(phi, edges[:-1], edges[1:], nearest)
    found = {0.0}
    for side in (right > 0, right <= 0):
        outward = np.argsort(np.abs(left[side]))
        own = left[side][outward], right[side][outward], resolved[side][outward]
        found |= _joints(phi, *own, set(kinks))
    return np.array(sorted(found))


def _ends(phi: Activation) -> tuple[float, float]:
    """The first octave, and where the last one ends."""
    if phi.period is not None:
        return min(_NEAREST, _NEAREST_PERIODS * phi.period), _FARTHEST_PERIODS * phi.period
    ends = [_NEAREST, _FARTHEST]
    for side, last in enumerate((_INMOST, _OUTMOST)):
        steps = np.arange(round(abs(np.log2(last / ends[side]))))
        low = ends[side] * (2.0**steps if side else 0.5 ** (steps + 1))
        fine: Flags = smooth(phi, np.append(low, -2 * low), np.append(2 * low, -low))
        rough = np.logical_not(fine.reshape(2, -1).all(axis=0))
        # What is rough to the end is so without end: nothing that octaves would resolve.
        if rough.any() and not rough[-1]:
            ends[side] = float(low[rough][-1] * (2 if side else 1))
    return ends[0], ends[1]


def _bisected(phi: Activation, left: Array, right: Array, nearest: float) -> tuple[Array, Array, Flags]:
    """The panels after bisection, in no order, and which of them are resolved. Near 0 it begins."""
    resolved = smooth(phi, left, right)
    while len(left) < _MOST_PANELS:
        wide = right - left > _NARROWEST * np.maximum(np.maximum(np.abs(left), np.abs(right)), nearest)
        open_ = np.flatnonzero(~resolved & wide)
        if not len(open_):
            break
        open_ = open_[np.argsort(np.abs(left + right)[open_])][:_AT_ONCE]
        middle = (left[open_] + right[open_]) / 2
        halves = np.concatenate([left[open_], middle]), np.concatenate([middle, right[open_]])
        left = np.concatenate([np.delete(left, open_), halves[0]])
        right = np.concatenate([np.delete(right, open_), halves[1]])
        resolved = np.concatenate([np.delete(resolved, open_), smooth(phi, *halves)])
    return left, right, resolved


def _joints(phi: Activation, left: Array, right: Array, resolved: Flags, kinks: set[float]) -> set[float]:
    """The edges that stay on one side of 0, whose panels are given from 0 outward."""
    found = set()
    low, high, simple = left[0], right[0], resolved[0]
    for near, far, own in zip(left[1:], right[1:], resolved[1:], strict=True):
        joint = float(high if near == high else low)
        both = min(low, near), max(high, far)
        if simple and own and joint not in kinks and smooth(phi, *map(np.atleast_1d, both))[0]:
            low, high = both
        else:
            found.add(joint)
            low, high, simple = near, far, own
    return found


def smooth(phi: Activation, left: Array, right: Array) -> Flags:
    """Whether a polynomial resolves φ and φ' on each of the panels ``left`` … ``right``."""
    return _unresolved(phi, left, right) <= max(_RESOLVED, _ABOVE_NOISE * noise(phi))


@lru_cache(maxsize=256)
def noise(phi: Activation) -> float:
    """What nothing resolves: the median of ``_unresolved`` on panels too narrow to show anything else.

    1e-15, but 1e-7 for a function that is computed in float32.
    """
    places = np.ldexp(1.1, np.arange(-8, 9))
    places = np.concatenate([places, -places])
    if phi.period is not None:
        places *= min(1.0, _SLOW * phi.period / (2 * np.pi))
    width = _NARROW * np.abs(places)
    return float(np.median(_unresolved(phi, places - width, places + width)))


def _unresolved(phi: Activation, left: Array, right: Array) -> Array:
    """The last coefficients of the polynomials through each panel's nodes, the largest of φ and φ'.

    They are relative to the largest |φ| at most as far from 0, where a Gaussian weighs more.
    """
    half = (right - left)[:, None] / 2
    far = np.maximum(np.abs(left), np.abs(right))[:, None]
    samples = np.linspace(-1, 1, 17)
    u = np.concatenate([left[:, None] + half * (1 + ABSCISSAE), far * samples], axis=1)
    largest = np.zeros(len(left))
    for h, slope in ((1, 0), (0, 1)):
        log, sign = logarithms(phi, u, h, slope)
        scale = log.max(axis=1)
        with np.errstate(all="ignore"):
            values = sign[:, :NODES] * np.exp(log[:, :NODES] - scale[:, None])
            last = np.abs(values @ TO_LEGENDRE[:, -2:]).max(axis=1)
            last -= _ROUNDING * np.exp(logarithms(phi, samples, h, slope).log.max() - scale)
        last[(scale == -np.inf) | (scale > _LARGEST_LOG)] = 0
        largest = np.maximum(largest, last)
    return largest


@lru_cache(maxsize=256)
def outgrows_powers(phi: Activation) -> bool:
    """Whether |φ| is above e²⁰⁰ at ±10⁶, as no power below 14 is."""
    return bool(logarithms(phi, np.array([-1e6, 1e6]), 1, 0).log.max() > 200)
