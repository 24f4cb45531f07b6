"""Labelled data to train on: a catalogue of small problems, each with examples that are held out.

A data set is a function from the draws of a seed (and the label's arguments) to a ``Split``. To add one,
write its function and its entry in ``DATASETS``; the config check and the tests over all entries follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from winit.network import labels
from winit.network.arrays import Array
from winit.network.draws import Draws
from winit.network.inputs.digits import DIGITS_PIXELS, digits_pixels, digits_targets, standardized_digits
from winit.network.labels import LabelError

Labels = NDArray[np.int64]

DIGITS_HELD_OUT = 5
"""Of the digits every fifth image is held out: 359 of 1797."""
SPIRAL_EXAMPLES = 100
"""Of each class, to train on; as many are held out."""


@dataclass(frozen=True)
class Split:
    """What is trained on, and what is held out: of each x, shape (examples, width), and the classes."""

    x: Array
    labels: Labels
    held_out_x: Array
    held_out_labels: Labels


@dataclass(frozen=True)
class Entry:
    """A data set."""

    name: str
    function: Callable[..., Split]
    formula: str
    source: str
    width: int
    """Entries of an example."""
    classes: int
    examples: int
    """To train on."""
    aliases: tuple[str, ...] = ()
    example: str = ""

    @property
    def label(self) -> str:
        """A label of this entry that is complete."""
        return self.example or self.name


@dataclass(frozen=True)
class Dataset:
    """A catalogue entry with its arguments; ``label`` is canonical."""

    label: str
    entry: Entry
    arguments: tuple[tuple[str, labels.Value], ...]

    def split(self, draws: Draws) -> Split:
        """The data of a seed."""
        return self.entry.function(draws, **dict(self.arguments))


@lru_cache(maxsize=64)
def dataset(label: str) -> Dataset:
    """The data set that ``label`` names. Raises LabelError, with the mend, where there is none."""
    found = Dataset(*labels.resolve("data set", label, DATASETS))
    if found.arguments:  # values out of range show themselves now
        found.split(Draws(0))
    return found


def digits(_: Draws) -> Split:
    return _every_fifth_held_out(standardized_digits())


def integer_digits(_: Draws) -> Split:
    return _every_fifth_held_out(digits_pixels())


def _every_fifth_held_out(images: Array) -> Split:
    targets = digits_targets()
    held_out = np.zeros(len(images), np.bool_)
    # In the order of the digits, so that each is held out as often as the others.
    held_out[np.argsort(targets, kind="stable")[DIGITS_HELD_OUT - 1 :: DIGITS_HELD_OUT]] = True
    return Split(images[~held_out], targets[~held_out], images[held_out], targets[held_out])


def spiral(draws: Draws, noise: float = 0.2) -> Split:
    if not noise >= 0:
        raise LabelError(f"noise is {noise}; it must be at least 0")
    radius = np.tile(np.linspace(0.0, 1.0, SPIRAL_EXAMPLES), 3)
    targets = np.repeat(np.arange(3), SPIRAL_EXAMPLES)
    # Each arm turns by four radians on its way out; the three start at 0, 4 and 8.
    angle = 4.0 * (targets + radius)
    parts = []
    for part in range(2):
        turned = angle + noise * draws.standard("normal", "data", part, angle.shape).values
        parts.append(radius[:, np.newaxis] * np.stack([np.sin(turned), np.cos(turned)], axis=1))
    return Split(parts[0], targets, parts[1], targets)


DATASETS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "digits",
            digits,
            "images of 8 × 8 pixels, standardized by the mean and standard deviation of them all; every"
            " fifth is held out",
            "scikit-learn's digits (Alpaydin & Kaynak 1998)",
            DIGITS_PIXELS,
            10,
            1438,
        ),
        Entry(
            "integer_digits",
            integer_digits,
            "the same images with their pixels as they are, whole numbers 0 … 16",
            "scikit-learn's digits (Alpaydin & Kaynak 1998)",
            DIGITS_PIXELS,
            10,
            1438,
        ),
        Entry(
            "spiral",
            spiral,
            "three arms in the plane, r (sin t, cos t) with r from 0 to 1 and t = 4 (arm + r) + N(0, noise²)",
            'Karpathy\'s course notes CS231n, "Putting it together"',
            2,
            3,
            3 * SPIRAL_EXAMPLES,
        ),
    )
}
