"""What an input is asked for, and a line of the catalogue of inputs."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from winit.network.arrays import Array
from winit.network.draws import Draws
from winit.network.inputs.moments import Moments


@dataclass(frozen=True)
class Wanted:
    """So many examples of such a width."""

    batch: int
    width: int
    """Entries of an example, as the probe asks for or the first hidden layer has units."""
    draws: Draws = field(repr=False)

    @property
    def generator(self) -> np.random.Generator:
        """Random numbers of the seed, from their start."""
        return self.draws.generator("input", 0)


@dataclass(frozen=True)
class Entry:
    """A kind of input."""

    name: str
    function: Callable[..., Array]
    """From what is wanted and the label's arguments to x, shape (batch, width)."""
    formula: str
    moments: Callable[..., Moments]
    """From the width of an example and the label's arguments to what theory needs to know."""
    width: int | None = None
    """Entries of an example, where the input decides it."""
    largest_batch: int | None = None
    resident: float = 0.0
    """Bytes that the examples take in memory, those that are not asked for too."""
    normal: bool = False
    """Whether entries are normal, and with them all sums of them, however far out."""
    paired: bool = False
    """Whether the examples 2k and 2k + 1 are a pair, of the correlation that the label gives."""
    aliases: tuple[str, ...] = ()
    anew: Callable[[], Callable[..., Array]] | None = None
    """The function as another process would have it, of a user's own."""
    example: str = ""

    @property
    def label(self) -> str:
        """A label of this entry that is complete."""
        return self.example or self.name
