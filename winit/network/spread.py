"""How far the networks of a finite width stray from the theory of infinite width, to first order in 1 / n.

What is measured is an average over a batch and over the n units of a layer. Given the layer before it, these
units are independent, so their mean squares fluctuate by O(1 / n) in variance, in common for all examples to
the degree to which these are correlated; and what a layer strays by, the maps carry on to the next one
(as in Hanin & Nica 2020; Yaida 2020; Roberts, Yaida & Hanin 2022, ch. 4). Fluctuations multiply from layer to
layer, so they are those of a logarithm: for relu with He's weights its variance grows by 5 / n a layer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from winit.network.activations import Activation
from winit.network.correlation import joint_products
from winit.network.quadrature import derivative, expectation

Floats = NDArray[np.float64]

# Where the variance of φ is below this share of E φ², its own fluctuations are lost in rounding.
_RESOLVED = 1e-6


@dataclass(frozen=True)
class Spread:
    """Of log h_std and log g_std_ratio, rows 0 … depth; NaN where nothing is predicted."""

    h_std: Floats
    """Standard deviation over seeds."""
    h_std_shift: Floats
    """Mean of the logarithm, less that of the prediction."""
    g_std_ratio: Floats
    g_std_ratio_shift: Floats


@dataclass(frozen=True)
class Ensemble:
    """The networks and inputs whose spread is asked for. Index l of an array is layer l, 0 the input."""

    activation: Activation
    sigma_w: Floats
    sigma_b: Floats
    fans: tuple[int, ...]
    """Units of the layers 0 … depth."""
    q: Floats
    cosine: Floats
    """c_l, the correlation of the pre-activations of two different examples."""
    kurtosis: Floats
    """Excess kurtosis of the weights, 0 where these are normal."""
    bias_kurtosis: Floats
    fourth_moment: float
    """Mean fourth power of the entries of the input."""
    batch: int
    outputs: int
    size_variance: float
    """Variance of an example's mean square, about what the prediction takes into account."""
    batch_variance: float
    """Variance of the mean square of a whole batch."""


class _Expectations(NamedTuple):
    """At one q: means, and derivatives by q, which are marked d. NumPy's numbers, which may overflow."""

    h: np.float64
    h2: np.float64
    h3: np.float64
    h4: np.float64
    slope2: np.float64
    slope4: np.float64
    h2_slope2: np.float64
    dh: np.float64
    dh2: np.float64
    dslope2: np.float64
    ddh: np.float64
    ddh2: np.float64
    ddslope2: np.float64


@lru_cache(maxsize=4096)
def _expectations(phi: Activation, q: float) -> _Expectations:
    powers = ({"h": 1}, {"h": 2}, {"h": 3}, {"h": 4}, {"slope": 2}, {"slope": 4}, {"h": 2, "slope": 2})
    means = [expectation(phi, q, **power) for power in powers]
    derivatives = [
        derivative(phi, q, order, **power) for order in (1, 2) for power in ({"h": 1}, {"h": 2}, {"slope": 2})
    ]
    return _Expectations(*map(np.float64, (*means, *derivatives)))


class _Layer:
    """What is needed of one layer, at its q and c: how maps depend on q, and noise.

    Noise is the variance, or covariance, that a mean over the layer's units has over networks, for a batch
    or, where the name says ``alone``, for one example. ``stray`` is the standard deviation of c over pairs
    of examples.
    """

    def __init__(self, ensemble: Ensemble, index: int, stray: float) -> None:
        phi, q, c = ensemble.activation, ensemble.q[index], ensemble.cosine[index]
        self.share = 1 / ensemble.batch
        self.n = ensemble.fans[index]
        self.next_w2 = ensemble.sigma_w[index + 1] ** 2 if index + 1 < len(ensemble.fans) else 0.0
        e = _expectations(phi, float(q))
        # The mean over c, from two points.
        joint = (
            joint_products(phi, q, min(c + stray, 1.0)) + joint_products(phi, q, max(c - stray, -1.0))
        ) / 2
        self.variance, self.second_moment = e.h2 - e.h**2, e.h2
        self.map_slope, self.map_curvature = self.next_w2 * e.dh2, self.next_w2 * e.ddh2
        # Means over units of φ², of (φ − E φ)² less a constant, and of φ.
        self.fourth = e.h4
        self.square_alone = (e.h4 - e.h2**2) / self.n
        self.square = self.average(self.square_alone, (joint[2, 2] - e.h2**2) / self.n)
        level = (e.h2 - 2 * e.h**2) ** 2
        own = e.h4 - 4 * e.h * e.h3 + 4 * e.h**2 * e.h2 - level
        other = joint[2, 2] - 4 * e.h * joint[2, 0] + 4 * e.h**2 * joint[0, 0] - level
        self.centred = self.average(own, other) / self.n
        self.mean = self.average(e.h2 - e.h**2, joint[0, 0] - e.h**2) / self.n
        self.mean_slope = e.dh
        self.variance_slope = e.dh2 - 2 * e.h * e.dh
        self.variance_curvature = e.ddh2 - 2 * e.h * e.ddh
        # The correlation of two examples in the next layer: how it depends on c, and how it strays.
        gain = self.next_w2 / ensemble.q[index + 1] if self.next_w2 else 0.0
        self.cosine_slope = gain * q * joint[1, 1]
        self.cosine = gain**2 * (joint[2, 2] - joint[0, 0] ** 2) / self.n
        # The backward pass: E φ'², how it depends on q, and how it strays together with φ².
        self.alive = e.slope2 > 0
        if self.alive:
            self.chi_slope = e.dslope2 / e.slope2
            self.chi_curvature = e.ddslope2 / e.slope2 - self.chi_slope**2
            self.kurtosis = e.slope4 / e.slope2**2
            self.joint_kurtosis = joint[3, 3] / e.slope2**2
            self.slope_correlation = joint[1, 1] / e.slope2
            # Of the excess of g² along h: see ``_backward``.
            free = 1 - ensemble.sigma_b[index] ** 2 / q
            self.excess_born = 2 * q * self.chi_slope * free
            self.excess_kept = q * e.dh2**2 / (e.h2 * e.slope2) * free
            self.excess_effect = e.h2_slope2 / (e.h2 * e.slope2) - 1
            self.crossed_alone = (e.h2_slope2 / e.slope2 - e.h2) / self.n
            self.crossed = self.average(self.crossed_alone, (joint[2, 3] / e.slope2 - e.h2) / self.n)

    def average(self, own: float, other: float) -> float:
        """The mean over pairs of a batch, of an example with itself and with another one."""
        return self.share * own + (1 - self.share) * other


def spread_of(ensemble: Ensemble) -> Spread:
    """The spread of every layer of the networks; NaN where q or c has no finite value."""
    known = np.isfinite(ensemble.q[1:]) & np.isfinite(ensemble.cosine[1:])
    if not known.all():
        return Spread(*np.full((4, len(ensemble.q)), np.nan))
    with np.errstate(all="ignore"):
        layers = _layers(ensemble)
        drift = _Drift(ensemble, layers)
        parts = *_forward(layers, drift), *_backward(ensemble, layers, drift)
    return Spread(*(np.where(np.isfinite(part), part, np.nan) for part in _with_input(parts)))


def _with_input(parts: Iterable[Floats]) -> Iterator[Floats]:
    """The same, with a row for the input, of which nothing is predicted."""
    return (np.append(np.nan, part) for part in parts)


def _layers(ensemble: Ensemble) -> list[_Layer]:
    """The layers 1 … depth. The correlation of two examples strays too."""
    q, sigma_w = ensemble.q, ensemble.sigma_w
    first = 1 - ensemble.sigma_b[1] ** 2 / q[1] if q[1] else 0.0
    variance = first**2 * (1 - ensemble.cosine[0] ** 2) ** 2 / ensemble.fans[0]
    layers = []
    for index in range(1, len(sigma_w)):
        layers.append(layer := _Layer(ensemble, index, np.sqrt(variance)))
        variance = layer.cosine_slope**2 * variance + layer.cosine
    return layers


class _Drift:
    """How q_l strays, for l = 1 … depth: see the attributes."""

    def __init__(self, ensemble: Ensemble, layers: list[_Layer]) -> None:
        first = ensemble.sigma_w[1] ** 4
        self.batch = [first * ensemble.batch_variance]
        """Variance of its mean over the batch."""
        self.alone = [first * ensemble.size_variance]
        """Variance of one example's."""
        self.spread = [self.alone[0] + self._of_kurtosis(ensemble, 1, ensemble.fourth_moment)]
        """The same as it acts on means: the tails of what is not normal count like a variance of q."""
        self.shift = [0.0]
        """Its mean, less the prediction."""
        self.batch_noise = [0.0]
        """The part of ``batch`` that the units before it add."""
        self.alone_noise = [0.0]
        for index, layer in enumerate(layers[:-1], 2):
            self.shift.append(layer.map_slope * self.shift[-1] + layer.map_curvature * self.spread[-1] / 2)
            self.batch_noise.append(layer.next_w2**2 * layer.square)
            self.alone_noise.append(layer.next_w2**2 * layer.square_alone)
            self.batch.append(layer.map_slope**2 * self.batch[-1] + self.batch_noise[-1])
            self.alone.append(layer.map_slope**2 * self.alone[-1] + self.alone_noise[-1])
            self.spread.append(self.alone[-1] + self._of_kurtosis(ensemble, index, layer.fourth))

    @staticmethod
    def _of_kurtosis(ensemble: Ensemble, index: int, fourth: float) -> float:
        """A third of the fourth cumulant of z: E f changes by as much as by this variance of q."""
        weights = ensemble.kurtosis[index] * ensemble.sigma_w[index] ** 4 * fourth / ensemble.fans[index - 1]
        return (weights + ensemble.bias_kurtosis[index] * ensemble.sigma_b[index] ** 4) / 3


def _forward(layers: list[_Layer], drift: _Drift) -> tuple[Floats, Floats]:
    """Spread and shift of log h_std, layers 1 … depth."""
    relative, shift = [], []
    for layer, batch, spread, moved in zip(layers, drift.batch, drift.spread, drift.shift, strict=True):
        if not layer.variance > _RESOLVED * layer.second_moment:
            relative.append(np.nan)
            shift.append(np.nan)
            continue
        of_mean = layer.mean_slope**2 * batch + layer.mean
        # The square of the mean strays in second order, which counts where φ² is all but constant.
        variance = layer.variance_slope**2 * batch + layer.centred + 2 * of_mean**2
        mean = layer.variance_slope * moved + layer.variance_curvature * spread / 2 - of_mean
        relative.append(max(variance, 0.0) / layer.variance**2)
        shift.append(mean / layer.variance)
    return _of_std(np.array(relative), np.array(shift))


def _backward(ensemble: Ensemble, layers: list[_Layer], drift: _Drift) -> tuple[Floats, Floats]:
    """Spread and shift of log(g_std_l ÷ g_std_depth), layers 1 … depth.

    The weights that g comes through are those that z came through: given z, the part of W along h is known,
    so that g² along h is more than its share, by an excess of O(1 / n), which the layers below inherit.
    """
    depth = len(layers)
    relative, shift = np.zeros(depth), np.zeros(depth)
    # Examples weigh by the size of their cotangent, whose square has a relative variance of 2 / outputs.
    share = min((1 + 2 / ensemble.outputs) / ensemble.batch, 1.0)
    alike = 1 / ensemble.outputs + 1 / layers[-1].n  # mean squared cosine between two examples' g
    noise = crossed = moved = fluctuating = 0.0
    carried = 0.0  # how the factors of the layers above depend on q of the layer above
    forward_noise = forward_alone = excess = 0.0
    for index in range(depth - 1, 0, -1):
        layer, below = layers[index], ensemble.fans[index]
        if not layer.alive:
            relative[:index] = shift[:index] = np.nan
            break
        above = carried
        # φ² and φ'² of the same units: the former moves all layers above.
        crossed += 2 * above * layer.next_w2 * layer.crossed
        fluctuating += above * layer.next_w2 * layer.crossed_alone
        if index + 1 < depth:
            forward_noise += above**2 * drift.batch_noise[index + 1]
            forward_alone += above**2 * drift.alone_noise[index + 1]
        carried = layer.chi_slope + layer.map_slope * above
        moved += layer.chi_slope * drift.shift[index] + layer.chi_curvature * drift.spread[index] / 2
        moved += excess * layer.excess_effect / layer.n
        excess = layer.excess_born + excess * layer.excess_kept
        moved += excess / below
        passed = alike * layer.slope_correlation**2
        own = 3 * (layer.kurtosis - 1) / layer.n + 2 / below
        other = (1 + 2 * alike) * (layer.joint_kurtosis - 1) / layer.n + 2 * passed / below
        noise += share * own + (1 - share) * other
        alike = passed + 1 / below
        relative[index - 1] = noise + crossed + carried**2 * drift.batch[index] + forward_noise
        shift[index - 1] = moved + fluctuating + (carried**2 * drift.alone[index] + forward_alone) / 2
    return _of_std(np.maximum(relative, 0), shift)


def _of_std(relative: Floats, shift: Floats) -> tuple[Floats, Floats]:
    """From the relative variance and mean of a square to those of the logarithm of its root."""
    return np.sqrt(relative) / 2, (shift - relative / 2) / 2
