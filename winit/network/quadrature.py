"""Gaussian expectations of an activation: E f(√q z) with z ~ N(0, 1) and f = φ^h φ'^slope.

Gauss–Hermite rules converge badly at kinks, and miss what is narrow beside √q. Here the line is cut
into panels, each with a Gauss–Legendre rule, at the edges of ``panels.features`` and evenly in z, so
that f and the Gaussian are both resolved. Their product is formed in logarithms: φ = eᶻ and its square
overflow at z = 710 and 355, whatever their weight there. A periodic φ that is narrow beside √q would
need too many panels; a Fourier sum takes their place.

The variance q of u = √q z may be anything from 0 to ∞. At 0, φ is φ(0) and φ' its limit: E φ'² of relu
is ½. At ∞ it is the limit of large q, which may be 0 or ∞ again.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Polynomial, hermite_e
from numpy.typing import ArrayLike

from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.panels import ABSCISSAE, WEIGHTS, Flags, features, logarithms, outgrows_powers, smooth

LEAST_Q = 1e-60
"""Stands for the limit q → 0+."""
HARMONICS = np.arange(-64, 65)
"""Those of ``fourier_coefficients``."""
SCALE_FREE = 1e-40, 1e40
"""Of variances: below and above them φ is what it is in the limit, a power of z but for its value at 0."""

# Squares and variances beyond these are within a few powers of ten of the range of float64, or beyond it.
_LEAST, _LARGEST = 1e-280, 1e280
# How well the integral of φ' from 0 is the difference of φ, relative to it and to φ.
_SAME, _SAME_ROUNDING = 1e-6, 1e-14
# From the one to the other tells whether a limit of large q is 0, finite or ∞.
_LARGE_Q = np.array([1e24, 1e28])
# P(|z| > 14) = 2e-44. Where φ is eᶻ the integrand of E φ² has its peak at 2√q, and overflows from 38.
_REACH, _FAR_REACH = 14.0, 50.0
# Panels of this width resolve a Gaussian.
_WIDTH = 2.0
# Variances evaluated at once.
_ROWS = 64
# What is smaller, relative to the largest Fourier coefficient, is rounding.
_FOURIER_ROUNDING = 1e-14
# Of the series near q = 0.
_SERIES_DEGREE = 16


def expectation(phi: Activation, q: ArrayLike, *, h: int = 0, slope: int = 0) -> Array:
    """E[φ^h φ'^slope] at √q z, z ~ N(0, 1), for variances ``q`` of any shape, which is the result's.

    ``expectation(phi, q, h=2)`` is E φ², ``expectation(phi, q, slope=2)`` is E φ'². Infinite where it
    overflows. Raises ValueError for a negative q.
    """
    return _moment(phi, q, h, slope, 0)


def derivative(phi: Activation, q: ArrayLike, order: int, *, h: int = 0, slope: int = 0) -> Array:
    """The derivative by q, of ``order`` 1 or higher, of ``expectation``; f may have jumps.

    dᵐ/dqᵐ E f(√q z) = E[f(√q z) He₂ₘ(z)] / (2q)ᵐ by Stein's identity. This loses 1e-16 E|f| / qᵐ by
    cancellation; near q = 0, where f has a Taylor series, the series' own expectation is taken instead.
    """
    return _moment(phi, q, h, slope, order)


def root_mean_square(phi: Activation, root: ArrayLike, *, h: int = 0, slope: int = 0) -> Array:
    """√E f², f = φ^h φ'^slope, at z ~ N(0, root²), for standard deviations ``root`` of any shape.

    It is within the range of numbers where root² and E f² may be beyond it.
    """
    roots = np.asarray(root, dtype=float)
    with np.errstate(all="ignore"):
        q = roots**2
        square = expectation(phi, q, h=2 * h, slope=2 * slope)
        found = np.sqrt(np.atleast_1d(square))
        inside = (q > _LEAST) & (q < _LARGEST) & (square > _LEAST) & (square < _LARGEST)
    for place in zip(*np.nonzero(np.atleast_1d(_is_extreme(phi, roots) & ~inside)), strict=True):
        found[place] = _scaled(phi, float(np.atleast_1d(roots)[place]), h, slope)[1]
    return found.reshape(roots.shape)[()]


def mean(phi: Activation, root: ArrayLike) -> Array:
    """E φ at z ~ N(0, root²), for standard deviations ``root`` of any shape, likewise."""
    roots = np.asarray(root, dtype=float)
    with np.errstate(all="ignore"):
        q = roots**2
        found = np.array(expectation(phi, q, h=1), ndmin=1)
        inside = (q > _LEAST) & (q < _LARGEST) & (np.abs(found.reshape(roots.shape)) < np.inf)
    for place in zip(*np.nonzero(np.atleast_1d(_is_extreme(phi, roots) & ~inside)), strict=True):
        found[place] = _scaled(phi, float(np.atleast_1d(roots)[place]), 1, 0)[0]
    return found.reshape(roots.shape)[()]


def _is_extreme(phi: Activation, roots: Array) -> Flags:
    """Of which standard deviations there is a better answer than that of their square."""
    real = (roots > 0) & (roots < np.inf)
    # The limit of a Fourier sum is its constant term, which is right.
    return real if phi.period is None else real & (roots < phi.period)


def _scaled(phi: Activation, root: float, h: int, slope: int) -> tuple[float, float]:
    """E f and √E f² for f = φ or φ', which are scaled on the way."""
    z, log_weights = _mesh(phi, np.array([root]), _WIDTH)
    with np.errstate(all="ignore"):
        if outgrows_powers(phi):
            log, sign = logarithms(phi, root * z, h, slope)
            square = 2 * log + log_weights
            largest = square.max()
            first = float((sign * np.exp(log + log_weights)).sum())
            return first, float(np.exp(largest / 2) * np.sqrt(np.exp(square - largest).sum()))
        values = phi(root * z)[0 if h else 1]
        return _weighted(values, np.exp(log_weights))


def _weighted(values: Array, weights: Array) -> tuple[float, float]:
    """Mean and root of the mean square."""
    scale = float(np.abs(values).max())
    if not 0 < scale < np.inf:
        return scale, scale
    shares = values / scale
    return scale * float((weights * shares).sum()), scale * float(np.sqrt((weights * shares**2).sum()))


def small_deviation(phi: Activation, root: float) -> float | None:
    """The standard deviation of φ at z ~ N(0, root²) where φ is all but constant there.

    From φ(z) − φ(0) as the integral of φ', in which nothing cancels. None where φ may be other than smooth
    between 0 and the z that matter, on either side.
    """
    own = np.abs(features(phi))
    if outgrows_powers(phi) or reach(phi) * root > own[own > 0].min(initial=np.inf):
        return None
    z, log_weights = _mesh(phi, np.array([root]), _WIDTH)
    u = root * z[0]
    with np.errstate(all="ignore"):
        slopes = phi(u[:, None] * (1 + ABSCISSAE) / 2)[1]
        change = u * (slopes @ WEIGHTS) / 2
        value = phi(np.append(u, 0.0))[0]
        apart = np.abs(change - (value[:-1] - value[-1]))
        if not (apart <= _SAME * np.abs(change) + _SAME_ROUNDING * abs(value[-1])).all():
            return None
        first, rms = _weighted(change, np.exp(log_weights[0]))
    return rms * float(np.sqrt(max(1 - (first / rms) ** 2, 0.0))) if rms else 0.0


def _moment(phi: Activation, q: ArrayLike, h: int, slope: int, order: int) -> Array:
    variances = np.asarray(q, dtype=float)
    flat = variances.ravel()
    if (flat < 0).any():
        raise ValueError(f"q is a variance and cannot be {flat.min():g}")
    found = np.full(flat.shape, np.nan)
    zero, left = flat == 0, np.isfinite(flat)
    if order:
        near = left & _is_series(phi, flat, h, slope, order)
        found[near] = _series(phi, h, slope).moment.deriv(order)(flat[near])
        left &= ~near
    elif zero.any():
        found[zero] = _at_zero(phi, h, slope)
        left &= ~zero
    if is_fourier(phi, flat[left]).any():
        far = left & is_fourier(phi, flat)
        found[far] = _fourier_moment(phi, flat[far], h, slope, order)
        left &= ~far
    rows = np.flatnonzero(left)
    for part in filter(len, np.array_split(rows, len(rows) // _ROWS + 1)):
        found[part] = _panel_moment(phi, np.where(zero[part], LEAST_Q, flat[part]), h, slope, order)
    infinite = flat == np.inf
    if infinite.any():
        found[infinite] = _limit(_moment(phi, _LARGE_Q, h, slope, order))
    return found.reshape(variances.shape)[()]


def _at_zero(phi: Activation, h: int, slope: int) -> float:
    with np.errstate(all="ignore"):
        value = phi(np.zeros(1))[0][0]
        slopes = phi(np.sqrt(LEAST_Q) * np.array([-1.0, 1.0]))[1]
    return float(value**h * (slopes**slope).mean())


def _limit(values: Array) -> float:
    """The limit of what is constant in the end, or goes with a power of q, from its last two values."""
    before, last = np.abs(values)
    if last == np.inf or last > 1.001 * before:
        return float(np.copysign(np.inf, values[1]))
    return 0.0 if last < before / 1.001 else float(values[1])


def _panel_moment(phi: Activation, q: Array, h: int, slope: int, order: int) -> Array:
    z, log_weights = mesh(phi, q)
    log, sign = logarithms(phi, z * np.sqrt(q)[:, None], h, slope)
    with np.errstate(all="ignore"):
        terms = sign * np.exp(log + log_weights)
        if order:
            terms *= hermite_e.hermeval(z, [0] * (2 * order) + [1])
        return terms.sum(axis=1) / (2 * q) ** order


def mesh(phi: Activation, q: Array, width: float = _WIDTH) -> tuple[Array, Array]:
    """Nodes z for each of the variances ``q``, and the logarithms of their Gaussian weights.

    Both have the shape (len(q), nodes). No panel is wider than ``width``; 2 resolves the Gaussian.
    """
    return _mesh(phi, np.sqrt(q), width)


def _mesh(phi: Activation, roots: Array, width: float) -> tuple[Array, Array]:
    end = reach(phi)
    even = np.linspace(-end, end, 2 * round(end / width) + 1)
    root = roots[:, None]
    own = features(phi)
    own = own[np.abs(own) < end * root.max(initial=0.0)]
    edges = np.empty((len(roots), len(even) + len(own)))
    edges[:, : len(even)] = even
    edges[:, len(even) :] = np.clip(own / root, -end, end)
    edges.sort(axis=1)
    half = np.diff(edges)[..., None] / 2
    z = (edges[:, :-1, None] + half * (1 + ABSCISSAE)).reshape(len(roots), -1)
    with np.errstate(divide="ignore"):  # panels of width 0
        log_weights = np.log(half * WEIGHTS).reshape(len(roots), -1)
    return z, log_weights - z * z / 2 - np.log(2 * np.pi) / 2


def reach(phi: Activation) -> float:
    """Beyond this |z|, φ^h φ'^slope has no weight."""
    return _FAR_REACH if outgrows_powers(phi) else _REACH


class _Series(NamedTuple):
    """f within ``radius`` of 0, where it is below ``largest``, and E f(√q z) as a polynomial in q."""

    radius: float
    largest: float
    moment: Polynomial


@lru_cache(maxsize=512)
def _series(phi: Activation, h: int, slope: int) -> _Series:
    """The Taylor series of f about 0, of radius 0 where there is none. E z²ʲ = (2j − 1)!!"""
    edges = np.abs(features(phi))
    nearest = edges[edges > 0].min(initial=1.0)
    for radius in nearest * np.array([1, 1 / 2, 1 / 4]):
        if smooth(phi, np.array([-radius]), np.array([radius]))[0]:
            break
    else:
        return _Series(0.0, 0.0, Polynomial([0.0]))
    u = radius * np.cos(np.pi * (np.arange(2 * _SERIES_DEGREE) + 0.5) / (2 * _SERIES_DEGREE))
    value, derived = phi(u)
    f = value**h * derived**slope
    even = Polynomial.fit(u, f, _SERIES_DEGREE).convert().coef[::2]
    double_factorials = np.cumprod([1, *range(1, _SERIES_DEGREE, 2)])
    return _Series(float(radius), float(np.abs(f).max()), Polynomial(even * double_factorials))


def _is_series(phi: Activation, q: Array, h: int, slope: int, order: int) -> Flags:
    """Whether √q z stays where the series holds, and the series rounds less than Stein's identity."""
    radius, largest, moment = _series(phi, h, slope)
    if not radius:
        return np.zeros(q.shape, dtype=bool)
    with np.errstate(all="ignore"):
        rounds_less = np.abs(moment(q)) / q**order > 10 * largest / radius ** (2 * order)
    return (reach(phi) * np.sqrt(q) <= radius) & rounds_less


def is_fourier(phi: Activation, q: Array) -> Flags:
    """Whether φ has a period and √q is above 1/2π of it; below, Fourier sums cancel."""
    return np.zeros(q.shape, dtype=bool) if phi.period is None else np.sqrt(q) > phi.period / (2 * np.pi)


@lru_cache(maxsize=512)
def fourier_coefficients(phi: Activation, h: int, slope: int) -> Array:
    """a_k of f(u) = Σ a_k exp(2πi k u / period), for the ``HARMONICS``. φ has a period."""
    assert phi.period is not None
    own = features(phi)
    edges = np.unique([*np.linspace(0, phi.period, 33), *own[(own > 0) & (own < phi.period)]])
    half = np.diff(edges)[:, None] / 2
    u = edges[:-1, None] + half * (1 + ABSCISSAE)
    value, derived = phi(u)
    weighted = half * WEIGHTS * value**h * derived**slope / phi.period
    waves = np.exp(-2j * np.pi / phi.period * HARMONICS[:, None] * u.ravel())
    found = waves @ weighted.ravel()
    return np.where(np.abs(found) > _FOURIER_ROUNDING * np.abs(found).max(), found, 0)


def _fourier_moment(phi: Activation, q: Array, h: int, slope: int, order: int) -> Array:
    """E exp(ikωu) = exp(−k²ω²q/2)."""
    assert phi.period is not None
    rates = -((2 * np.pi / phi.period * HARMONICS) ** 2) / 2
    with np.errstate(under="ignore", over="ignore"):
        waves = np.exp(q[:, None] * rates) * rates**order
    return (waves @ fourier_coefficients(phi, h, slope)).real
