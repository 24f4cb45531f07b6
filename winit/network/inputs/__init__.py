"""What is pushed through the networks: the examples x, and the cotangent at the output.

Inputs are a catalogue like initializers and activations: a function from what is wanted and the label's
arguments to the examples, and what theory needs to know of them. One's own are files of arrays,
``images.npy``, and functions, ``path/to/file.py:function``.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from winit.errors import RaisedError
from winit.network import labels, sources
from winit.network.arrays import Array
from winit.network.draws import Draws
from winit.network.guard import guarded
from winit.network.inputs import digits, drawn, own
from winit.network.inputs.entry import Entry, Wanted
from winit.network.inputs.moments import Images, Moments, NormalSums, Population
from winit.network.labels import LabelError
from winit.network.sources import Sources

__all__ = [
    "INPUTS",
    "Entry",
    "Images",
    "Input",
    "Moments",
    "NormalSums",
    "Population",
    "Wanted",
    "cotangent",
    "input_of",
    "is_paired",
    "width_of",
]

INPUTS: dict[str, Entry] = {entry.name: entry for entry in (*drawn.ENTRIES, *digits.ENTRIES)}

# In standard deviations of a sum of entries: where no power of it has any weight, where its weight is below
# all numbers, and as far as the sum of bounded entries is taken to be normal.
_REACH, _FAR_REACH = 14.0, 38.0
_REACH_OF_BOUNDED = 8.0


@dataclass(frozen=True)
class Input:
    """A catalogue entry with its arguments; ``label`` is canonical."""

    label: str
    entry: Entry
    arguments: tuple[tuple[str, labels.Value], ...]

    def examples(self, batch: int, width: int, draws: Draws) -> Array:
        """x, shape (batch, width). Raises LabelError where one's own function gives another width."""
        x = self.entry.function(Wanted(batch, width, draws), **dict(self.arguments))
        if x.shape[1] != width:
            raise LabelError(f"{self.label} gave {x.shape[1]} entries an example, not {width}")
        return x

    def moments(self, width: int) -> Moments:
        """What theory needs to know of examples of so many entries."""
        return self.entry.moments(width, **dict(self.arguments))

    def size_variances(self, width: int, batch: int) -> tuple[float, float]:
        """Variances of the mean square: of one example, about the second moments; of a whole batch."""
        of_examples = self.moments(width)
        alone = of_examples.excess / width
        drawn_ = 1 - batch / self.entry.largest_batch if self.entry.largest_batch else 1.0
        return alone, (alone + drawn_ * float(of_examples.second_moments.var())) / batch

    def population(self, width: int) -> Population:
        """Examples of so many entries, as far as their sums and sizes go.

        Sums of independent entries are normal; of images they are those of the images.
        """
        of_examples = self.moments(width)
        if of_examples.images is not None:
            return of_examples.images
        (square,) = of_examples.second_moments
        std = math.sqrt(width * (square - of_examples.mean**2))
        reach = (_REACH, _FAR_REACH) if self.entry.normal else (_REACH_OF_BOUNDED,) * 2
        return NormalSums(width * of_examples.mean, std, float(square), width, *reach)

    @property
    def correlation(self) -> float | None:
        """The cosine between the two examples of a pair, None where the examples are no pairs."""
        return cast("float", dict(self.arguments)["correlation"]) if self.entry.paired else None


@lru_cache(maxsize=256)
def input_of(label: str, at_hand: Sources = ()) -> Input:
    """The input that ``label`` names; ``at_hand`` has the files and functions that are one's own.

    Raises LabelError, with the mend, where there is none.
    """
    call = labels.parse(label)
    ours = not (sources.is_users(call.name) or sources.is_data(call.name))
    try:
        with guarded(label):  # default arguments of a user's function are anybody's objects
            own_entry = {} if ours else {call.name: own.entry_of(call, at_hand)}
            canonical, entry, arguments = labels.resolve("input", label, INPUTS | own_entry)
    except RaisedError as error:
        raise LabelError(str(error)) from error
    if entry.anew is not None:
        entry = own.tried(entry, entry.anew, canonical, dict(arguments))
    found = Input(canonical, entry, arguments)
    if entry.anew is None:
        found.examples(2, entry.width or 2, Draws(0))
    return found


@lru_cache(maxsize=1024)
def width_of(label: str) -> int | None:
    """Entries of an example, where an input of the catalogue decides it."""
    entry = _in_catalogue(label)
    return None if entry is None else entry.width


@lru_cache(maxsize=1024)
def is_paired(label: str) -> bool:
    """Whether the examples are pairs; one's own are not."""
    entry = _in_catalogue(label)
    return entry is not None and entry.paired


def _in_catalogue(label: str) -> Entry | None:
    return INPUTS.get(labels.parse(label).name)


def cotangent(batch: int, outputs: int, draws: Draws) -> Array:
    """∂L/∂y = v ~ N(0, 1), shape (batch, outputs)."""
    return draws.standard("normal", "cotangent", 0, (batch, outputs)).values
