"""What theory needs to know of examples: their moments, and how the sums of their entries are distributed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from winit.network.arrays import Array

Floats = NDArray[np.float64]

_QUANTILES = 16
_ENTRIES_AT_ONCE = 2**18  # two megabytes of them
_MOST_IMAGES = 2048


@dataclass(frozen=True)
class Images:
    """All examples there are, or some that stand for them: sums of their entries, and mean squares."""

    sums: Floats
    squares: Floats
    width: int

    @property
    def moments(self) -> tuple[float, float, float]:
        """Mean, standard deviation and root of the mean square of all entries."""
        mean, square = self.sums.mean() / self.width, self.squares.mean()
        return float(mean), math.sqrt(square - mean**2), math.sqrt(square)


@dataclass(frozen=True)
class NormalSums:
    """Examples whose sums of entries are N(mean, std²), all of one mean square."""

    mean: float
    std: float
    square: float
    width: int
    reach: float
    """In standard deviations: beyond, it is not normal, or no power of it has any weight."""
    far_reach: float
    """Likewise where what is done to it grows like an exponential."""

    @property
    def moments(self) -> tuple[float, float, float]:
        """Mean, standard deviation and root of the mean square of all entries."""
        mean = self.mean / self.width
        return mean, math.sqrt(self.square - mean**2), math.sqrt(self.square)


Population: TypeAlias = Images | NormalSums


@dataclass(frozen=True)
class Moments:
    """Of the examples of an input."""

    mean: float
    """Of an example's entries."""
    second_moments: Floats
    """Mean square of an example's entries: values that are equally frequent among the examples."""
    excess: float
    """Variance of the square of an entry, as far as these values leave it to chance."""
    fourth_moment: float
    """Mean fourth power of an entry."""
    cosine: float
    """Mean cosine between two different examples that are not a pair."""
    images: Images | None = None
    """The examples themselves, where they are given."""


def moments_of(values: Array, shift: float = 0.0, scale: float = 1.0) -> Moments:
    """Of examples that are given, shape (examples, width), each taken as (x - ``shift``) / ``scale``.

    ``values`` may be of any type of real numbers, and larger than the memory. What differs from example to
    example is their mean square, in groups of equal size from the faintest to the boldest.
    """
    count, width = values.shape
    sums, squares, fourths = [], [], 0.0
    # Of an example of zeros there is no direction.
    directions, directed = np.zeros(width), 0
    for part in parts_of(values):
        x = (part.astype(np.float64) - shift) / scale
        sums.append(x.sum(axis=1))
        squares.append((x**2).mean(axis=1))
        fourths += float((x**4).mean(axis=1).sum())
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        directions += np.divide(x, norms, out=np.zeros_like(x), where=norms > 0).sum(axis=0)
        directed += int(np.count_nonzero(norms))
    of_each, square = np.concatenate(sums), np.concatenate(squares)
    some = slice(None, None, -(-count // _MOST_IMAGES))
    return Moments(
        mean=float(of_each.mean() / width),
        second_moments=_in_groups(square),
        excess=0.0,
        fourth_moment=fourths / count,
        cosine=float((np.square(directions).sum() - directed) / max(directed * (directed - 1), 1)),
        images=Images(of_each[some], square[some], width),
    )


def _in_groups(values: Floats) -> Floats:
    """Means of the smallest sixteenth of the values, the next one, …; one where all are the same.

    A value may be in part of one sixteenth and in part of the next, so that the mean of all stays.
    """
    if np.ptp(values) <= 1e-12 * values.max():
        return values[:1]
    sums = np.concatenate([[0.0], np.cumsum(np.sort(values))])
    at = np.linspace(0, len(values), _QUANTILES + 1)
    means: Floats = np.diff(np.interp(at, np.arange(len(sums)), sums)) / np.diff(at)
    return means


def parts_of(values: Array) -> Iterator[Array]:
    """The examples, some at a time."""
    yield from np.array_split(values, -(-values.size // _ENTRIES_AT_ONCE))
