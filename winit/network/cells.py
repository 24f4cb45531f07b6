"""A cell: one point of the grid, with everything that decides its numbers."""

import hashlib
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from winit.network.inputs import width_of
from winit.network.sources import Sources, identity

KERNEL_VERSION = "5"
"""Part of every cell's identity: raise it when a change of the code changes a number."""


@dataclass(frozen=True)
class Probe:
    """What every cell of a grid does, whichever network it looks at."""

    batch: int = 1000
    input: str = "normal"
    """canonical label of an input"""
    dtype: Literal["float32", "float64"] = "float32"
    outputs: int = 10
    bias_std: float = 0.0
    histograms: bool = True
    input_width: int = 0
    """entries of an example; 0: as many as the first hidden layer has units, or as the input has"""

    def __str__(self) -> str:
        """As in a cell's identity. What was added later is left out at its default, so that ids stay."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        if not self.input_width:
            del shown["input_width"]
        return f"Probe({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def identified(self, sources: Sources) -> "Probe":
        """The same, with the content of one's own examples in the place of their name."""
        return replace(self, input=identity(self.input, sources))


@dataclass(frozen=True)
class Cell:
    """One network, one seed, one probe. Labels are canonical."""

    initializer: str
    activation: str
    depth: int
    width: str
    seed: int
    probe: Probe
    sources: Sources = ()
    """Of the user's own functions among the labels, so that a cell can be computed anywhere."""

    @property
    def id(self) -> str:
        """Twenty hex digits that stand for all that decides the numbers, and nothing else."""
        initializer, activation = (
            identity(label, self.sources) for label in (self.initializer, self.activation)
        )
        probe = self.probe.identified(self.sources)
        return cell_id(initializer, activation, self.depth, self.width, self.seed, probe)


def cell_id(initializer: str, activation: str, depth: int, width: str, seed: int, probe: Probe) -> str:
    """See ``Cell.id``. Labels are those of ``sources.identity``."""
    text = f"{KERNEL_VERSION}|{initializer}|{activation}|{depth}|{width}|{seed}|{probe}"
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def hidden_widths(width: str, depth: int) -> tuple[int, ...]:
    """The widths of the hidden layers 1 … depth.

    ``"500"`` is constant. ``"1024-64"`` is a geometric taper from the first layer to the last one; more than
    two numbers are at equal distances, geometric tapers between them: ``"1024-64-1024"`` is an hourglass, and
    with as many layers as numbers they are the layers. Raises ValueError where a width is not positive, or
    there are fewer layers than these numbers, but for none.
    """
    given = given_widths(width)
    if not depth:
        return ()
    if min(given) < 1 or least_depth(width) > depth:
        raise ValueError(f"{width!r} are not the widths of {depth} layers")
    if is_constant(width):
        return given * depth
    tapers = list(pairwise(given))
    places = np.linspace(0.0, len(tapers), depth)
    starts = np.minimum(places.astype(int), len(tapers) - 1)
    first, last = np.array(tapers)[starts].T
    return tuple(int(n) for n in np.rint(first * (last / first) ** (places - starts)))


def given_widths(width: str) -> tuple[int, ...]:
    """The numbers in a width."""
    return tuple(map(int, width.split("-")))


def width_ends(width: str) -> tuple[int, int]:
    """The first and the last number in a width; of a constant one they are the same."""
    given = given_widths(width)
    return given[0], given[-1]


def is_constant(width: str) -> bool:
    """Whether a network of this width is the start of any deeper one."""
    return "-" not in width


def least_depth(width: str) -> int:
    """Of how many hidden layers a network of this width has at least: of a taper one end may be enough."""
    given = len(given_widths(width))
    return given if given > 2 else 1


def input_width(first_hidden: int, probe: Probe) -> int:
    """width_0: what the probe asks for, else the input's own where it has one, else the first layer's."""
    return probe.input_width or width_of(probe.input) or first_hidden
