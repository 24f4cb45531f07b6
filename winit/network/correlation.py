"""Expectations over two correlated Gaussians: E f(u) f(v), (u, v) of variance q and correlation c.

f is φ, φ', φ² or φ'². With the coefficients a_k of f(√q z) in the normalised Hermite polynomials,

    E f(u) f(v) = Σ a_k² cᵏ        (Mehler's formula; the dual of Daniely et al. 2016)

for every c at once. What is left out of the sum is known as well: E f² − Σ a_k², times at most |c| to
the first power left out. Where that is too much (φ has a kink or is steep beside √q, and c is near ±1),
v is integrated for each u, given which it is N(c u, q (1 − c²)), on panels that have edges where φ has.
For a periodic φ narrow beside √q a double Fourier sum replaces both.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.panels import ABSCISSAE, WEIGHTS, features, logarithms
from winit.network.quadrature import (
    HARMONICS,
    LEAST_Q,
    SCALE_FREE,
    expectation,
    fourier_coefficients,
    is_fourier,
    mesh,
)

MONOMIALS = ((1, 0), (0, 1), (2, 0), (0, 2))
"""(h, slope) of each f = φ^h φ'^slope."""

_DEGREES = 512
# Panels of this width resolve a product with h_512, whose zeros are π/√512 = 0.14 apart.
_HERMITE_WIDTH = 0.7
# The most that the series may leave out, relative to its sum; and what is rounding, relative to E f².
_LEFT_OUT, _ROUNDING = 1e-11, 1e-13
# Beyond, u / √q has no weight (P = 2e-23), nor has v, given u, in standard deviations of its own (2e-19).
_REACH, _GIVEN_REACH = 10.0, 9.0
_WIDTH = 2.0
# Stands for √(1 − c²) where that is 0.
_NARROWEST = 1e-12
# Values of u at once.
_ROWS = 256


def joint_products(phi: Activation, q: float, c: float) -> Array:
    """E f(u) g(v) for all f and g of ``MONOMIALS``, shape (4, 4): plain sums, for what need not be exact.

    Where a φ with kinks is taken near c = ±1, some percent may be left out.
    """
    if is_fourier(phi, np.asarray(q)):
        a = np.array([fourier_coefficients(phi, *powers) for powers in MONOMIALS])
        j = HARMONICS[:, None]
        squares = j**2 + HARMONICS**2 + 2 * c * j * HARMONICS
        with np.errstate(under="ignore"):
            return (a @ np.exp(-_phases(phi, q) / 2 * squares) @ a.T).real
    coefficients = hermite_coefficients(phi, max(q, LEAST_Q))
    with np.errstate(under="ignore"):
        return (coefficients * c ** np.arange(_DEGREES)) @ coefficients.T


class _Joint(NamedTuple):
    """What the three public functions give, for one c."""

    product: float
    gap: float
    derivative: float


def joint_expectation(phi: Activation, q: float, c: ArrayLike, *, h: int = 1, slope: int = 0) -> Array:
    """E[f(u) f(v)] with f = φ^h φ'^slope, one of ``MONOMIALS``, for correlations ``c`` of any shape.

    q = 0 stands for the limit from above. Infinite where E f² overflows. Raises ValueError where q is not
    finite or |c| above 1.
    """
    return _joint("product", phi, q, c, h, slope)


def cosine_map(phi: Activation, root: float, c: float, rms: float) -> float:
    """E φ(u) φ(v) ÷ E φ², u and v of standard deviation ``root`` and correlation c, where √E φ² is ``rms``.

    Beyond ``quadrature.SCALE_FREE`` it does not depend on ``root`` any more, and is taken at its end. 0 where
    φ is; NaN where E φ² is beyond the range of numbers all the same.
    """
    low, high = SCALE_FREE
    if not rms:
        return 0.0
    if low**0.5 < root < high**0.5:
        q, square = root**2, rms**2
    else:
        q = low if root < 1 else high
        square = float(expectation(phi, q, h=2))
    return float(joint_expectation(phi, q, c)) / square if 0 < square < np.inf else np.nan


def joint_gap(phi: Activation, q: float, c: ArrayLike, *, h: int = 1, slope: int = 0) -> Array:
    """E f² − E[f(u) f(v)] = E (f(u) − f(v))² / 2, in which nothing cancels as c → 1."""
    return _joint("gap", phi, q, c, h, slope)


def joint_derivative(phi: Activation, q: float, c: ArrayLike, *, h: int = 1, slope: int = 0) -> Array:
    """The derivative of E[f(u) f(v)] by c: q E f'(u) f'(v), if f has no jump (Price's theorem).

    Of an f with jumps it is infinite at c = 1.
    """
    return _joint("derivative", phi, q, c, h, slope)


def _joint(wanted: str, phi: Activation, q: float, c: ArrayLike, h: int, slope: int) -> Array:
    correlations = np.asarray(c, dtype=float)
    if not (0 <= q < np.inf and (np.abs(correlations) <= 1).all()):
        raise ValueError(f"q must be finite and at least 0, c within ±1; they are {q} and {correlations}")
    rule = _fourier if is_fourier(phi, np.array(q)) else _hermite
    found = (rule(phi, float(q) or LEAST_Q, float(one), h, slope) for one in correlations.ravel())
    return np.array([getattr(joint, wanted) for joint in found]).reshape(correlations.shape)[()]


# By Mehler's formula


def _hermite(phi: Activation, q: float, c: float, h: int, slope: int) -> _Joint:
    squares = hermite_coefficients(phi, q)[MONOMIALS.index((h, slope))] ** 2
    total = float(expectation(phi, q, h=2 * h, slope=2 * slope))
    if total == np.inf:
        return _Joint(total, total, total)
    left_out = total - float(squares.sum())
    if left_out < _ROUNDING * total:
        left_out = 0.0
    if c == 1 and left_out:
        return _Joint(total, 0.0, _derivative_at_one(phi, q, h, slope))
    k = np.arange(_DEGREES)
    with np.errstate(under="ignore"):
        powers = c**k
        found = _Joint(
            float(squares @ powers),
            float(squares @ (-np.expm1(k * np.log(c)) if c > 0 else 1 - powers)) + left_out,
            float((k * squares)[1:] @ powers[:-1]),
        )
        bound = left_out * float(abs(c) ** _DEGREES)
        bounds = _Joint(bound, bound, left_out * _largest_slope(abs(c)) if left_out else 0.0)
    if all(error <= _LEFT_OUT * abs(value) for error, value in zip(bounds, found, strict=True)):
        return found
    return _given(phi, q, c, h, slope)


def _largest_slope(c: float) -> float:
    """The largest k cᵏ⁻¹ of the powers that are left out, 0 ≤ c ≤ 1."""
    if c in {0.0, 1.0}:
        return float("inf") if c else 0.0
    k = max(_DEGREES, -1 / float(np.log(c)))
    return k * c ** (k - 1)


@lru_cache(maxsize=256)
def hermite_coefficients(phi: Activation, q: float) -> Array:
    """The coefficients a_k of all ``MONOMIALS``, of shape (4, _DEGREES): E f(u) g(v) = Σ a_k b_k cᵏ.

    h_{k+1} = (z h_k − √k h_{k−1}) / √(k + 1), all times exp(−z²/4), without which they overflow.
    """
    nodes, log_weights = mesh(phi, np.array([q]), _HERMITE_WIDTH)
    z = nodes[0]
    weighted = np.empty((len(MONOMIALS), len(z)))
    functions = np.empty((_DEGREES, len(z)))
    with np.errstate(all="ignore"):
        for row, (h, slope) in zip(weighted, MONOMIALS, strict=True):
            log, sign = logarithms(phi, np.sqrt(q) * z, h, slope)
            row[:] = sign * np.exp(log + log_weights[0] + z * z / 4)
        functions[0] = np.exp(-z * z / 4)
        functions[1] = z * functions[0]
        for k in range(1, _DEGREES - 1):
            functions[k + 1] = (z * functions[k] - np.sqrt(k) * functions[k - 1]) / np.sqrt(k + 1)
        return weighted @ functions.T


# By integration over v given u


def _derivative_at_one(phi: Activation, q: float, h: int, slope: int) -> float:
    """Price's q E f'² if the derivative goes there, infinite if it grows as 1 / √(1 − c²)."""
    before, last = (_given(phi, q, 1 - gap, h, slope).derivative for gap in (1e-10, 1e-12))
    if last > 3 * before:
        return float(np.inf)
    price = np.nan if slope else q * h * h * float(expectation(phi, q, h=2 * h - 2, slope=2))
    return price if np.isclose(last, price, rtol=1e-4) else last


def _given(phi: Activation, q: float, c: float, h: int, slope: int) -> _Joint:
    """With u = √q z and v = √q (c z + s t), z and t independent; not for what outgrows every power.

    The density of (u, v) has the derivative (t z / s + c (1 − t²) / s²) times itself by c, against which
    f(u)² and f(v)² integrate to 0: so the derivative comes from (f(u) − f(v))² alone.
    """
    s = max(float(np.sqrt((1 - c) * (1 + c))), _NARROWEST)
    own = features(phi) / np.sqrt(q)
    own = own[np.abs(own) < _REACH]
    # As a function of u, E[f(v) | u] has turns of the width s around each of φ's edges.
    turns = 2 * s * np.unique(np.round(own / c / (2 * s))[:, None] + np.arange(-5, 6))
    edges = np.concatenate([_even(_REACH), own, own / c, turns])
    edges = np.unique(edges[np.abs(edges) <= _REACH])
    z, weights = (part.ravel() for part in _gaussian_nodes(edges[:-1], edges[1:]))
    given = _even(_GIVEN_REACH)
    found = np.zeros(len(_Joint._fields))
    for start in range(0, len(z), _ROWS):
        near, weight = z[start : start + _ROWS, None], weights[start : start + _ROWS, None]
        turned = (own - c * near) / s
        turned = np.clip(turned[:, (np.abs(turned) < _GIVEN_REACH).any(axis=0)], -_GIVEN_REACH, _GIVEN_REACH)
        panels = np.sort(np.hstack([np.broadcast_to(given, (len(near), len(given))), turned]), axis=1)
        row, column = np.nonzero(np.diff(panels))
        t, inner = _gaussian_nodes(panels[row, column], panels[row, column + 1])
        at = near[row]
        f_u, f_v = (_values(phi, np.sqrt(q) * one, h, slope) for one in (at, c * at + s * t))
        weighted = weight[row] * inner
        halves = weighted * (f_u - f_v) ** 2 / 2
        density = t * at / s + c * (1 - t * t) / s**2
        found += (weighted * f_u * f_v).sum(), halves.sum(), -(halves * density).sum()
    return _Joint(*found.tolist())


def _even(reach: float) -> Array:
    return np.linspace(-reach, reach, round(2 * reach / _WIDTH) + 1)


def _gaussian_nodes(left: Array, right: Array) -> tuple[Array, Array]:
    """Nodes z and Gaussian weights on the panels ``left`` … ``right``, of shape (panels, nodes)."""
    half = (right - left)[:, None] / 2
    z = left[:, None] + half * (1 + ABSCISSAE)
    return z, half * WEIGHTS * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def _values(phi: Activation, u: Array, h: int, slope: int) -> Array:
    with np.errstate(all="ignore"):
        value, derived = phi(u)
        return value**h * derived**slope


# By Fourier sums


def _phases(phi: Activation, q: float) -> float:
    """ω²q, the variance of the phase; finite, since it is multiplied by 0 too."""
    assert phi.period is not None
    with np.errstate(over="ignore"):
        return float(min((np.float64(2 * np.pi / phi.period) * np.sqrt(q)) ** 2, 1e300))


def _fourier(phi: Activation, q: float, c: float, h: int, slope: int) -> _Joint:
    """E exp(iω (j u + k v)) = exp(−ω²q (j² + k² + 2 j k c) / 2)."""
    coefficients = fourier_coefficients(phi, h, slope)
    present = coefficients != 0
    a, k = coefficients[present], HARMONICS[present]
    j = k[:, None]
    variance = _phases(phi, q)
    # As j² + k² + 2jkc, but without cancellation near c = ±1.
    squares = (j + k) ** 2 - 2 * j * k * (1 - c) if c > 0 else (j - k) ** 2 + 2 * j * k * (1 + c)
    with np.errstate(under="ignore"):
        terms = (a[:, None] * a * np.exp(-variance * squares / 2)).real
    product = float(terms.sum())
    total = float(expectation(phi, q, h=2 * h, slope=2 * slope))
    return _Joint(product, total - product, float((-variance * j * k * terms).sum()))
