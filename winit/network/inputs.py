"""What is pushed through the networks: the examples x, and the cotangent at the output.

Inputs are a catalogue like initializers and activations: a function from what is wanted and the label's
arguments to the examples, and what theory needs to know of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from winit.network import labels
from winit.network.arrays import Array
from winit.network.draws import Draws
from winit.network.labels import LabelError

DIGITS_PIXELS = 64
DIGITS_IMAGES = 1797
_QUANTILES = 16

Floats = NDArray[np.float64]

# In standard deviations of a sum of entries: where no power of it has any weight, where its weight is below
# all numbers, and as far as the sum of bounded entries is taken to be normal.
_REACH, _FAR_REACH = 14.0, 38.0
_REACH_OF_BOUNDED = 8.0


@dataclass(frozen=True)
class Wanted:
    """So many examples of such a width, from these draws."""

    batch: int
    width: int
    draws: Draws


@dataclass(frozen=True)
class Images:
    """All examples there are: the sums of their entries, and their mean squares."""

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
class Entry:
    """A kind of input."""

    name: str
    function: Callable[..., Array]
    """From what is wanted and the label's arguments to x, shape (batch, width)."""
    formula: str
    mean: float
    """Of an example's entries."""
    second_moments: Callable[[], Floats]
    """Mean square of an example's entries: values that are equally frequent among the examples."""
    excess: float
    """Variance of the square of an entry, as far as these values leave it to chance."""
    fourth_moment: Callable[[], float]
    """Mean fourth power of an entry."""
    cosine: Callable[[], float]
    """Mean cosine between two different examples that are not a pair."""
    images: Callable[[], Floats] | None = None
    """All examples that there are, where they are given."""
    width: int | None = None
    """Entries of an example, where the input decides it."""
    largest_batch: int | None = None
    normal: bool = False
    """Whether entries are normal, and with them all sums of them, however far out."""
    paired: bool = False
    """Whether the examples 2k and 2k + 1 are a pair, of the correlation that the label gives."""
    aliases: tuple[str, ...] = ()
    example: str = ""

    @property
    def label(self) -> str:
        """A label of this entry that is complete."""
        return self.example or self.name


@dataclass(frozen=True)
class Input:
    """A catalogue entry with its arguments; ``label`` is canonical."""

    label: str
    entry: Entry
    arguments: tuple[tuple[str, labels.Value], ...]

    def examples(self, batch: int, width: int, draws: Draws) -> Array:
        """x, shape (batch, width)."""
        return self.entry.function(Wanted(batch, width, draws), **dict(self.arguments))

    @property
    def mean(self) -> float:
        """Of the examples' entries."""
        return self.entry.mean

    @property
    def second_moments(self) -> Floats:
        """Mean square of an example's entries: values that are equally frequent among the examples."""
        return self.entry.second_moments()

    @property
    def cosine(self) -> float:
        """Mean cosine between two different examples that are not a pair."""
        return self.entry.cosine()

    def size_variances(self, width: int, batch: int) -> tuple[float, float]:
        """Variances of the mean square: of one example, about the values above; of a whole batch."""
        alone = self.entry.excess / width
        drawn = 1 - batch / self.entry.largest_batch if self.entry.largest_batch else 1.0
        return alone, (alone + drawn * float(np.var(self.second_moments))) / batch

    def population(self, width: int) -> Population:
        """Examples of so many entries, as far as their sums and sizes go.

        Sums of independent entries are normal; of images they are those of the images.
        """
        if self.entry.images is not None:
            images = self.entry.images()
            return Images(images.sum(axis=1), (images**2).mean(axis=1), width)
        (square,) = self.second_moments
        std = math.sqrt(width * (square - self.mean**2))
        reach = (_REACH, _FAR_REACH) if self.entry.normal else (_REACH_OF_BOUNDED,) * 2
        return NormalSums(width * self.mean, std, float(square), width, *reach)

    @property
    def correlation(self) -> float | None:
        """The cosine between the two examples of a pair, None where the examples are no pairs."""
        return cast("float", dict(self.arguments)["correlation"]) if self.entry.paired else None


@lru_cache(maxsize=256)
def input_of(label: str) -> Input:
    """The input that ``label`` names. Raises LabelError, with the mend, where there is none."""
    found = Input(*labels.resolve("input", label, INPUTS))
    found.examples(2, found.entry.width or 2, Draws(0))
    return found


def normal(wanted: Wanted) -> Array:
    return wanted.draws.standard("normal", "input", 0, (wanted.batch, wanted.width)).values


def uint8(wanted: Wanted) -> Array:
    shape = (wanted.batch, wanted.width)
    drawn = wanted.draws.generator("input", 0).integers(0, 256, shape, dtype=np.uint8)
    return drawn.astype(np.float32)


def digits(wanted: Wanted) -> Array:
    images = standardized_digits()
    return images[wanted.draws.generator("input", 0).permutation(len(images))[: wanted.batch]]


@cache
def _load_digits() -> tuple[Floats, NDArray[np.int64]]:
    from sklearn.datasets import load_digits  # slow to import, and seldom needed

    pixels, targets = load_digits(return_X_y=True)
    return pixels, targets


def digits_pixels() -> Floats:
    """The 1797 images of 8 × 8 pixels, whole numbers 0 … 16, shape (1797, 64)."""
    return _load_digits()[0]


def digits_targets() -> NDArray[np.int64]:
    """The digit that each image shows, shape (1797,)."""
    return _load_digits()[1]


@cache
def standardized_digits() -> Floats:
    """The images, standardized by the mean and standard deviation of them all, shape (1797, 64)."""
    pixels = digits_pixels()
    return (pixels - pixels.mean()) / pixels.std()


def pairs(wanted: Wanted, correlation: float) -> Array:
    if not -1 <= correlation <= 1:
        raise LabelError(f"correlation is {correlation}; it must be from -1 to 1")
    # Exact for every pair, not on average, so that the map starts where theory does.
    drawn = normal(wanted).astype(np.float64).reshape(wanted.batch // 2, 2, wanted.width)
    first, other = drawn[:, 0], drawn[:, 1]
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    other = other - (other * first).sum(axis=1, keepdims=True) * first
    other = other / np.linalg.norm(other, axis=1, keepdims=True)
    second = correlation * first + math.sqrt(1 - correlation**2) * other
    return np.stack([first, second], axis=1).reshape(wanted.batch, wanted.width) * math.sqrt(wanted.width)


def _one() -> Floats:
    return np.ones(1)


def _three() -> float:
    return 3.0


def _zero() -> float:
    return 0.0


def _digits_second_moments() -> Floats:
    """Of 16 groups of equal size, from the faintest images to the boldest."""
    squares = np.sort((standardized_digits() ** 2).mean(axis=1))
    return np.array([group.mean() for group in np.array_split(squares, _QUANTILES)])


def _digits_cosine() -> float:
    images = standardized_digits()
    directions = images / np.linalg.norm(images, axis=1, keepdims=True)
    count = len(images)
    return float((np.square(directions.sum(axis=0)).sum() - count) / (count * (count - 1)))


_UINT8_MEAN = 255 / 2
_UINT8_SQUARE = 255 * 511 / 6

INPUTS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("normal", normal, "N(0, 1)", 0.0, _one, 2.0, _three, _zero, normal=True),
        Entry(
            "uint8",
            uint8,
            "whole numbers 0 … 255, as raw pixels are",
            _UINT8_MEAN,
            lambda: np.array([_UINT8_SQUARE]),
            float(np.var(np.arange(256.0) ** 2)),
            lambda: float(np.mean(np.arange(256.0) ** 4)),
            lambda: _UINT8_MEAN**2 / _UINT8_SQUARE,
        ),
        Entry(
            "digits",
            digits,
            "images of scikit-learn's digits, without repetition, standardized by the mean and standard"
            " deviation of the whole data set",
            0.0,
            _digits_second_moments,
            0.0,
            lambda: float(np.mean(standardized_digits() ** 4)),
            _digits_cosine,
            images=standardized_digits,
            width=DIGITS_PIXELS,
            largest_batch=DIGITS_IMAGES,
        ),
        Entry(
            "pairs",
            pairs,
            "the examples 2k and 2k + 1 have exactly this cosine, and every example mean square 1",
            0.0,
            _one,
            0.0,
            _three,
            _zero,
            paired=True,
            example="pairs(correlation=0.5)",
        ),
    )
}


def cotangent(batch: int, outputs: int, draws: Draws) -> Array:
    """∂L/∂y = v ~ N(0, 1), shape (batch, outputs)."""
    return draws.standard("normal", "cotangent", 0, (batch, outputs)).values
