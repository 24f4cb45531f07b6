"""Random numbers that depend on (seed, purpose, layer) and on nothing else.

Every draw comes from a stream of its own, so that a cell gives the same numbers alone, in a block,
in any order, and on any machine. Initializers share the standard draws below and scale them (common
random numbers): two cells that differ only in the initializer differ in nothing else, and one draw
serves a whole block. Draws are float32 whatever a network's dtype, so a float64 network is the same
network, computed more exactly.
"""

import math
import weakref
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from winit.network import statistics
from winit.network.arrays import Array
from winit.network.streams import Stream

Purpose = Literal["input", "weights", "bias", "readout", "cotangent", "data", "batches"]
Plain = Literal["normal", "uniform", "truncated_normal", "orthogonal"]


class Truncated(NamedTuple):
    """A normal cut off at ``low`` and ``high``, in standard deviations before the cut."""

    low: float
    high: float

    @property
    def share(self) -> float:
        """What the cut leaves of the normal; computed on the side where tails keep their digits."""
        from scipy.special import ndtr  # slow to import, and seldom needed

        low, high = (self.low, self.high) if self.low <= 0 else (-self.high, -self.low)
        return float(ndtr(high) - ndtr(low))

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the standard normal after the cut."""
        from scipy.stats import truncnorm

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


class Standard:
    """A standard draw of one seed: all have mean 0 and variance 1.

    But for ``orthogonal``, whose rows or columns (whichever are fewer) are orthonormal.
    """

    def __init__(self, draw: Callable[[], Array], draws: "Draws") -> None:
        """``draw`` gives the same array each time."""
        self._draw = draw
        self._draws = draws
        self._kept: Array | None = None
        self._in_use: Callable[[], Array | None] = lambda: None

    @property
    def values(self) -> Array:
        """The draw, read-only: kept where there is room, else while somebody uses it, else drawn anew."""
        known = self._kept if self._kept is not None else self._in_use()
        if known is not None:
            return known
        drawn = self._draw()
        drawn.flags.writeable = False
        if self._draws.has_room(drawn.nbytes):
            self._kept = drawn
        self._in_use = weakref.ref(drawn)
        return drawn

    @cached_property
    def moments(self) -> tuple[float, float]:
        """The mean and standard deviation of its entries as they are."""
        mean, std, _ = statistics.moments(self.values[np.newaxis])[0]
        return float(mean), float(std)


class Draws:
    """The standard draws of one seed, each named by its distribution, purpose, layer, shape and dtype."""

    def __init__(self, seed: int, room: float = math.inf) -> None:
        """Keep up to ``room`` bytes of draws; what finds no room is drawn anew each time."""
        self.seed = seed
        self._room = room
        self._standards: dict[Any, Standard] = {}

    def has_room(self, size: int) -> bool:
        """Take ``size`` bytes of the room, if there are so many."""
        if size > self._room:
            return False
        self._room -= size
        return True

    @property
    def decomposes(self) -> bool:
        """Whether an orthogonal draw is among those that were asked for."""
        return any(distribution == "orthogonal" for distribution, *_ in self._standards)

    def generator(
        self, purpose: Purpose, layer: int, distribution: Plain | Literal["truncated", "own"] = "normal"
    ) -> np.random.Generator:
        """The stream of (seed, purpose, layer), from its start."""
        return np.random.Generator(np.random.SFC64(self._sequence(purpose, layer, distribution)))

    def _sequence(
        self, purpose: Purpose, layer: int, distribution: Plain | Literal["truncated", "own"]
    ) -> np.random.SeedSequence:
        key = (_PURPOSES[purpose], layer, _DISTRIBUTIONS[distribution])
        return np.random.SeedSequence(self.seed, spawn_key=key)

    def standard(
        self,
        distribution: Distribution,
        purpose: Purpose,
        layer: int,
        shape: tuple[int, ...],
        dtype: "np.dtype[np.floating] | type[np.floating]" = np.float32,
    ) -> Standard:
        """The draw of this name. Its numbers are the same in every dtype, but for their rounding."""
        name = (distribution, purpose, layer, shape, dtype)
        if name not in self._standards:

            def draw() -> Array:
                return self._draw(distribution, purpose, layer, shape).astype(dtype, copy=False)

            self._standards[name] = Standard(draw, self)
        return self._standards[name]

    def _draw(
        self, distribution: Distribution, purpose: Purpose, layer: int, shape: tuple[int, ...]
    ) -> Array:
        if isinstance(distribution, Truncated):
            return _truncated(self.generator(purpose, layer, "truncated"), shape, distribution)
        if distribution == "orthogonal":
            return _orthogonal(Stream(self._sequence(purpose, layer, "normal")).normal(shape))
        return _SAMPLERS[distribution](Stream(self._sequence(purpose, layer, distribution)), shape)


def _uniform(stream: Stream, shape: tuple[int, ...]) -> Array:
    drawn = stream.uniform(shape)
    drawn -= 0.5
    drawn *= 2 * np.float32(np.sqrt(3.0))
    return drawn


def _truncated_normal(stream: Stream, shape: tuple[int, ...]) -> Array:
    drawn = stream.normal(shape)
    while (outside := np.abs(drawn) > 2).any():
        drawn[outside] = stream.normal(int(outside.sum()))
    return drawn / np.float32(TRUNCATED_NORMAL_STD)


def _truncated(generator: np.random.Generator, shape: tuple[int, ...], cut: Truncated) -> Array:
    """By the inverse of the distribution function, on the side where the tails keep their digits."""
    from scipy.special import ndtr, ndtri

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


_SAMPLERS: dict[Plain, Callable[[Stream, tuple[int, ...]], Array]] = {
    "normal": Stream.normal,
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
}
