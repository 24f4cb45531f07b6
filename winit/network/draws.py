"""Random numbers that depend on (seed, purpose, layer) and on nothing else.

Every draw comes from a stream of its own, so that a cell gives the same numbers alone, in a block,
in any order, and on any machine. Initializers share the standard draws below and scale them (common
random numbers): two cells that differ only in the initializer differ in nothing else, and one draw
serves a whole block. Draws are float32 whatever a network's dtype, so a float64 network is the same
network, computed more exactly.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Purpose = Literal["input", "weights", "bias", "readout", "cotangent"]
Distribution = Literal["normal", "uniform", "truncated_normal", "orthogonal"]

# These numbers are part of every stream's name: never change one, only add.
_PURPOSES: dict[Purpose, int] = {
    "input": 0,
    "weights": 1,
    "bias": 2,
    "readout": 3,
    "cotangent": 4,
}
_DISTRIBUTIONS: dict[Distribution, int] = {"normal": 0, "uniform": 1, "truncated_normal": 2}

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
        self, purpose: Purpose, layer: int, distribution: Distribution = "normal"
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
            drawn = (
                _orthogonal(_normal(self.generator(purpose, layer), shape))
                if distribution == "orthogonal"
                else _SAMPLERS[distribution](self.generator(purpose, layer, distribution), shape)
            )
            drawn.flags.writeable = False
            self._kept[key] = drawn
        return self._kept[key]


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


def _orthogonal(normal: Array) -> Array:
    """Q of the QR decomposition, made unique (and Haar distributed) by a positive diagonal of R.

    Source: Mezzadri 2007, "How to generate random matrices from the classical compact groups".
    """
    rows, columns = normal.shape
    tall = normal if rows >= columns else normal.T
    q, r = np.linalg.qr(tall.astype(np.float64))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(q if rows >= columns else q.T)


_SAMPLERS: dict[Distribution, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "normal": _normal,
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
}
