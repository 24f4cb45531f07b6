"""Random numbers that depend on (seed, purpose, layer) and on nothing else.

Every draw comes from a stream of its own, so that a cell gives the same numbers alone, in a block,
in any order, and on any machine. Initializers share the standard draws below and scale them (common
random numbers): two cells that differ only in the initializer differ in nothing else, and one draw
serves a whole block. Draws are float32 whatever a network's dtype, so a float64 network is the same
network, computed more exactly.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.floating]
Purpose = Literal["input", "weights", "bias", "readout", "cotangent", "data", "batches"]
Plain = Literal["normal", "uniform", "truncated_normal", "orthogonal"]


class Truncated(NamedTuple):
    """A normal cut off at ``low`` and ``high``, in standard deviations before the cut."""

    low: float
    high: float

    @property
    def share(self) -> float:
        """What the cut leaves of the normal; computed on the side where tails keep their digits."""
        low, high = (self.low, self.high) if self.low <= 0 else (-self.high, -self.low)
        return float(ndtr(high) - ndtr(low))

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the standard normal after the cut."""
        from scipy.stats import truncnorm  # slow to import, and seldom needed

        mean, variance = truncnorm.stats(self.low, self.high, moments="mv")
        return float(mean), float(np.sqrt(variance))


Distribution = Plain | Truncated


def excess_kurtosis(distribution: Distribution) -> float:
    """E x⁴ / (E x²)² − 3 of a standard draw of i.i.d. entries."""
    if isinstance(distribution, Truncated):
        from scipy.stats import truncnorm

        return float(truncnorm.stats(*distribution, moments="k"))
    # A normal cut at ±2: from E x⁴ = 3 − 2 (8 + 3 · 2) p / P, p the density at 2, P = P(|x| < 2).
    return {"normal": 0.0, "uniform": -1.2, "truncated_normal": -0.6344632828}[distribution]


# These numbers are part of every stream's name: never change one, only add.
_PURPOSES: dict[Purpose, int] = {
    "input": 0,
    "weights": 1,
    "bias": 2,
    "readout": 3,
    "cotangent": 4,
    "data": 5,
    "batches": 6,
}
_DISTRIBUTIONS: dict[Plain | Literal["truncated", "own"], int] = {
    "normal": 0,
    "uniform": 1,
    "truncated_normal": 2,
    "truncated": 3,
    "own": 4,
}

# Standard deviation of a standard normal cut at ±2; jax.nn.initializers and Keras use the same.
TRUNCATED_NORMAL_STD = 0.87962566103423978


class Draws:
    """The standard draws of one seed, each made once and kept, read-only.

    A draw is named by its distribution, purpose, layer and shape. All have mean 0 and variance 1,
    but for ``orthogonal``, whose rows or columns (whichever are fewer) are orthonormal.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._kept: dict[tuple[Distribution, Purpose, int, tuple[int, ...]], Array] = {}

    def generator(
        self, purpose: Purpose, layer: int, distribution: Plain | Literal["truncated", "own"] = "normal"
    ) -> np.random.Generator:
        """The stream of (seed, purpose, layer), from its start."""
        key = (_PURPOSES[purpose], layer, _DISTRIBUTIONS[distribution])
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=key)))

    def standard(
        self, distribution: Distribution, purpose: Purpose, layer: int, shape: tuple[int, ...]
    ) -> Array:
        """The draw, float32 (``orthogonal``: float64), of this shape."""
        key = (distribution, purpose, layer, shape)
        if key not in self._kept:
            drawn = self._draw(distribution, purpose, layer, shape)
            drawn.flags.writeable = False
            self._kept[key] = drawn
        return self._kept[key]

    def _draw(
        self, distribution: Distribution, purpose: Purpose, layer: int, shape: tuple[int, ...]
    ) -> Array:
        if isinstance(distribution, Truncated):
            return _truncated(self.generator(purpose, layer, "truncated"), shape, distribution)
        if distribution == "orthogonal":
            return _orthogonal(_normal(self.generator(purpose, layer), shape))
        return _SAMPLERS[distribution](self.generator(purpose, layer, distribution), shape)


def _normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.standard_normal(shape, dtype=np.float32)


def _uniform(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    half_width = np.float32(np.sqrt(3.0))
    return (2 * generator.random(shape, dtype=np.float32) - 1) * half_width


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    drawn = generator.standard_normal(shape, dtype=np.float32)
    while (outside := np.abs(drawn) > 2).any():
        drawn[outside] = generator.standard_normal(int(outside.sum()), dtype=np.float32)
    return drawn / np.float32(TRUNCATED_NORMAL_STD)


def _truncated(generator: np.random.Generator, shape: tuple[int, ...], cut: Truncated) -> Array:
    """By the inverse of the distribution function, on the side where the tails keep their digits."""
    sign = -1.0 if cut.low > 0 else 1.0
    low, high = sorted((sign * cut.low, sign * cut.high))
    drawn = sign * ndtri(ndtr(low) + generator.random(shape) * (ndtr(high) - ndtr(low)))
    mean, std = cut.moments
    return ((drawn - mean) / std).astype(np.float32)


def _orthogonal(normal: Array) -> Array:
    """Q of the QR decomposition, made unique (and Haar distributed) by a positive diagonal of R.

    Source: Mezzadri 2007, "How to generate random matrices from the classical compact groups".
    """
    rows, columns = normal.shape
    tall = normal if rows >= columns else normal.T
    q, r = np.linalg.qr(tall.astype(np.float64))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(q if rows >= columns else q.T)


_SAMPLERS: dict[Plain, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "normal": _normal,
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
}
