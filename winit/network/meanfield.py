"""Signal propagation in the limit of infinite width.

With W ~ N(0, σ_w²/fan_in) and b ~ N(0, σ_b²), pre-activations are Gaussian; from layer to layer their
variance q goes by the variance map V and the correlation c of two inputs, once q is at its fixed point,
by the correlation map C:

    V(q) = σ_w² E φ(√q z)² + σ_b²,        C(c) = (σ_w² E φ(u) φ(v) + σ_b²) / q*

(Poole et al. 2016). Gradients grow by χ₁ = σ_w² E φ'(√q* z)² a layer, and near the fixed points
perturbations shrink by V'(q*) and C'(c*) a layer (Schoenholz et al. 2017). V' and C' are the derivatives
of the maps themselves, also where φ jumps and formulas with φ' leave the jumps out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.correlation import joint_derivative, joint_expectation, joint_gap
from winit.network.quadrature import LEAST_Q, derivative, expectation

# Iterations before a root finder takes over: by then a V that is not monotone has settled.
_STEPS = 64
# Relative to q: a step of this size is none; and one that is not rounding.
_STILL, _STEP = 1e-14, 1e-12
# Within these χ₁ and the slopes of the maps are 1, and 0.
_MARGINAL, _NOTHING = 1e-9, 1e-13
# 1 − c* is not resolved below this.
_LEAST_GAP = 1e-12
# For the critical line: what of q − σ_w² E φ² is rounding, relative to q; how far above 1 a slope and, just
# above a fixed point, V / q may be; and where just above is, relative to q and at 0.
_ROUNDING, _MARGINAL_SLOPE, _MARGINAL_STEP = 1e-14, 1e-6, 1e-7
_ABOVE, _ABOVE_ZERO = np.array([1.01]), np.array([1e-8, 1e-6, 1e-4])


@dataclass(frozen=True)
class FixedPoint:
    """Where a network goes with depth, and how fast; depths in layers, None where there is none.

    A depth ξ is −1/ln of the factor a layer: inf where that is 1, 0 where it is 0 or inf.
    """

    q_star: float
    """The variance: 0, finite or inf."""
    chi_1: float
    """χ₁ at q*; a limit where q* is 0 or inf."""
    c_star: float | None
    """The correlation of any two inputs in the end, from [0, 1]; None unless q* is finite and not 0."""
    xi_q: float | None
    """Of deviations from q*; None where q* is inf or V'(q*) not positive."""
    xi_c: float | None
    """Of deviations from c*."""
    xi_grad: float
    """Over which gradients shrink by e; negative where they grow."""


class Table(NamedTuple):
    """E φ² and E φ'² at ascending variances, the first standing for q → 0+."""

    q: Array
    square: Array
    slope_square: Array


@lru_cache(maxsize=256)
def table(phi: Activation) -> Table:
    """Both moments at 12 variances a decade, from 1e-16 to 1e24."""
    q = np.concatenate([[LEAST_Q], np.logspace(-16, 24, 40 * 12 + 1)])
    return Table(q, expectation(phi, q, h=2), expectation(phi, q, slope=2))


def _square(scale: float) -> np.float64:
    """Infinite where it is beyond the range of numbers."""
    with np.errstate(over="ignore", under="ignore"):
        return np.float64(scale) ** 2


def scaled_square(sigma_w: float, second_moment: Array) -> Array:
    """σ_w² E f², which is 0 where there are no weights, whatever overflows behind them."""
    with np.errstate(all="ignore"):
        # In two steps: the square of σ_w may be beyond the range of numbers where this is not.
        return sigma_w * (sigma_w * second_moment) if sigma_w else np.zeros_like(second_moment)


def variance_map(phi: Activation, q: ArrayLike, sigma_w: float, sigma_b: float = 0.0) -> Array:
    """V(q), of the shape of ``q``."""
    with np.errstate(all="ignore"):  # moments may be infinite
        return scaled_square(sigma_w, expectation(phi, q, h=2)) + _square(sigma_b)


def variance_map_slope(phi: Activation, q: ArrayLike, sigma_w: float) -> Array:
    """V'(q), of the shape of ``q``; it is χ₁ + σ_w² E φφ'' where φ is smooth."""
    with np.errstate(all="ignore"):
        return scaled_square(sigma_w, derivative(phi, q, 1, h=2))


def chi_1(phi: Activation, q: ArrayLike, sigma_w: float) -> Array:
    """χ₁ = σ_w² E φ'(√q z)², of the shape of ``q``."""
    with np.errstate(all="ignore"):
        return scaled_square(sigma_w, expectation(phi, q, slope=2))


@lru_cache(maxsize=4096)
def fixed_point(phi: Activation, sigma_w: float, sigma_b: float = 0.0, start: float = 1.0) -> FixedPoint:
    """The fixed point that a network with pre-activations of the variance ``start`` goes to.

    c* is 1 where C'(1) ≤ 1, which is χ₁ unless φ jumps (C'(1) is inf where it does). Else it is the other
    root of C(c) = c: one, since C is convex on [0, 1], a power series with coefficients ≥ 0.
    """
    q = limit_variance(phi, sigma_w, sigma_b, start)
    chi = float(chi_1(phi, q, sigma_w))
    c_star = xi_q = xi_c = None
    if q < math.inf:
        slope = float(variance_map_slope(phi, q, sigma_w))
        xi_q = _depth(slope) if slope > _NOTHING else None
        if q > 0:
            c_star = _limit_correlation(phi, q, sigma_w, sigma_b)
            xi_c = _depth(float(scaled_square(sigma_w, joint_derivative(phi, q, c_star))) / q)
    return FixedPoint(q, chi, c_star, xi_q, xi_c, _depth(chi))


def _depth(factor: float) -> float:
    """The number of layers in which what changes by ``factor`` a layer shrinks by e."""
    if not 0 < factor < math.inf:
        return 0.0
    rate = -math.log(factor)
    return math.inf if abs(rate) <= _MARGINAL else 1 / rate


def limit_variance(phi: Activation, sigma_w: float, sigma_b: float = 0.0, start: float = 1.0) -> float:
    """q*, the limit of V(V(…V(start))): 0, finite, or inf (above 1e24).

    There is always one. The slope of log V in log q is σ_w² E[φ² (z² − 1)] / 2V ≥ −1/2, so that nothing
    can go round in a cycle; what still moves goes to the first root of V(q) = q in its direction.
    """

    def growth(log_q: float) -> float:
        q = math.exp(log_q)
        return float(variance_map(phi, q, sigma_w, sigma_b)) / q - 1

    if not sigma_w:
        return float(_square(sigma_b))
    q = start
    for _ in range(_STEPS):
        before, q = q, float(variance_map(phi, q, sigma_w, sigma_b))
        if q in {0.0, math.inf} or abs(q - before) <= _STILL * before:
            return q
    known = table(phi)
    with np.errstate(all="ignore"):
        growths = (scaled_square(sigma_w, known.square) + _square(sigma_b)) / known.q - 1
    rises = growth(math.log(q)) > 0
    if rises:
        beyond = np.flatnonzero((known.q > q) & (growths < -_STEP))[:1]
    else:
        beyond = np.flatnonzero((known.q < q) & (growths > _STEP))[-1:]
    if not len(beyond):
        return math.inf if rises else 0.0
    return math.exp(_root(growth, math.log(q), math.log(known.q[beyond[0]]), xtol=1e-15))


def correlation_map(phi: Activation, c: ArrayLike, q: float, sigma_w: float, sigma_b: float = 0.0) -> Array:
    """C(c) at the fixed point ``q`` of V, of the shape of ``c``."""
    return (scaled_square(sigma_w, joint_expectation(phi, q, c)) + _square(sigma_b)) / q


def _limit_correlation(phi: Activation, q: float, sigma_w: float, sigma_b: float) -> float:
    def decorrelation(log_gap: float) -> float:
        """log of (1 − C(c)) / (1 − c), which rises with c as C is convex."""
        c = -math.expm1(log_gap)
        return math.log(_square(sigma_w) / q * float(joint_gap(phi, q, c)) / (1 - c))

    if not sigma_w or _square(sigma_w) / q * joint_derivative(phi, q, 1.0) <= 1 + _MARGINAL:
        return 1.0
    if correlation_map(phi, 0.0, q, sigma_w, sigma_b) <= _NOTHING:
        return 0.0
    if decorrelation(math.log(_LEAST_GAP)) <= 0:
        return 1.0
    return -math.expm1(_root(decorrelation, math.log(_LEAST_GAP), 0.0, xtol=1e-14))


# The critical line


class CriticalityError(ValueError):
    """There is no critical point; the message says why."""


def critical_point(phi: Activation, q: float) -> tuple[float, float]:
    """σ_w and σ_b² with which χ₁ = 1 at the fixed point ``q`` of V; where σ_b² < 0 no network has them.

    q = 0 is the limit from above. Raises CriticalityError where E φ'² is 0.
    """
    slope_square = float(expectation(phi, q, slope=2))
    if not slope_square:
        raise CriticalityError(f"{phi.label} has no critical point at q = {q:g}: E φ'² is 0 there")
    return slope_square**-0.5, q - float(expectation(phi, q, h=2)) / slope_square


@lru_cache(maxsize=1024)
def critical_sigma_w(phi: Activation, sigma_b: float = 0.0) -> float:
    """The smallest σ_w with χ₁ = 1 at a fixed point of V that attracts or is marginal, |V'| ≤ 1.

    The limit q* → 0 counts: with σ_b = 0 it makes 1 critical for tanh. Raises CriticalityError where
    there is none.
    """
    if not table(phi).slope_square.any():
        raise CriticalityError(f"{phi.label} has no critical sigma_w: its derivative is 0")
    fixed = _critical_variances(phi, sigma_b)
    if stays := [q for q in fixed if _attracts(phi, q)]:
        return min(critical_point(phi, q)[0] for q in stays)
    why = "no fixed point has χ₁ = 1" if not fixed else "variances run away from where χ₁ = 1"
    raise CriticalityError(f"{phi.label} has no critical sigma_w at sigma_b = {sigma_b:g}: {why}")


def _attracts(phi: Activation, q: float) -> bool:
    """Whether variances go to the critical point at ``q``, or stay where they are (relu).

    Where V' is 1 they may run away from above all the same, as they do for gelu from q = 0.
    """
    sigma_w, sigma_b2 = critical_point(phi, q)
    above = q * _ABOVE if q else _ABOVE_ZERO
    rises = sigma_w**2 * expectation(phi, above, h=2) + sigma_b2 > above * (1 + _MARGINAL_STEP)
    return not rises.any() and float(variance_map_slope(phi, q, sigma_w)) <= 1 + _MARGINAL_SLOPE


def _critical_variances(phi: Activation, sigma_b: float) -> list[float]:
    """The fixed points at which χ₁ = 1, given σ_b; where all q are, as for relu, only 0 of them."""

    def excess(log_q: float) -> float:
        return critical_point(phi, math.exp(log_q))[1] - sigma_b**2

    q, square, slope_square = table(phi)
    with np.errstate(all="ignore"):
        excesses = q - square / slope_square - sigma_b**2
    clear = np.isfinite(excesses) & (np.abs(excesses) > _ROUNDING * np.maximum(q, sigma_b**2))
    logs, signs = np.log(q[clear]), np.sign(excesses[clear])
    turns = np.flatnonzero(np.diff(signs))
    roots = [math.exp(_root(excess, logs[i], logs[i + 1], xtol=1e-14)) for i in turns]
    if sigma_b == 0 and square[0] < _NOTHING < slope_square[0]:
        roots.append(0.0)
    return roots


# The phase plane


class PhasePlane(NamedTuple):
    """Over σ_b² (rows) and σ_w² (columns), both of shape (len(sigma_b2), len(sigma_w2))."""

    q_star: Array
    chi_1: Array


def phase_plane(phi: Activation, sigma_w2: Array, sigma_b2: Array) -> PhasePlane:
    """q* from the variance 1 and χ₁ there, to about 1 %, interpolated in ``table``: for a figure.

    The grids of σ_w² and σ_b² are one-dimensional.
    """
    known = table(phi)
    log_q = np.log(known.q)
    start = int(np.argmin(np.abs(log_q)))
    with np.errstate(all="ignore"):
        variances = sigma_w2[:, None] * known.square + sigma_b2[:, None, None]
        growths = np.log(variances) - log_q
        up = _first_turn(log_q[start:], growths[..., start:])
        down = -_first_turn(-log_q[start::-1], -growths[..., start::-1])
        now = growths[..., start]
        log_q_star = np.select([now > _STEP, now < -_STEP], [up, down], 0.0)
        chi = sigma_w2 * np.interp(log_q_star, log_q, known.slope_square)
        return PhasePlane(np.exp(log_q_star), chi)


def _first_turn(x: Array, growths: Array) -> Array:
    """The x at which growths, positive at first, turn negative along the last axis; inf if they do not."""
    turned = growths < -_STEP
    after = np.maximum(turned.argmax(axis=-1), 1)[..., None]
    ends = [np.take_along_axis(growths, index, axis=-1)[..., 0] for index in (after - 1, after)]
    left, right = x[after[..., 0] - 1], x[after[..., 0]]
    root = right + (right - left) * ends[1] / (ends[0] - ends[1])
    return np.where(turned.any(axis=-1), root, np.inf)


def _root(function: Callable[[float], float], low: float, high: float, *, xtol: float) -> float:
    """Where ``function``, of opposite signs at the two ends, is zero."""
    from scipy.optimize import brentq  # slow to import

    return float(brentq(function, low, high, xtol=xtol))
