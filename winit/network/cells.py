"""A cell: one point of the grid, with everything that decides its numbers."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from winit.network.inputs import input_of
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
        return cell_id(initializer, activation, self.depth, self.width, self.seed, self.probe)


def cell_id(initializer: str, activation: str, depth: int, width: str, seed: int, probe: Probe) -> str:
    """See ``Cell.id``. Labels are those of ``sources.identity``."""
    text = f"{KERNEL_VERSION}|{initializer}|{activation}|{depth}|{width}|{seed}|{probe}"
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def hidden_widths(width: str, depth: int) -> tuple[int, ...]:
    """The widths of the hidden layers 1 … depth.

    ``"500"`` is constant; ``"1024-64"`` is a geometric taper from the first layer to the last. Raises
    ValueError where ``width`` is neither, or a width is not positive.
    """
    ends = [int(end) for end in width.split("-")]
    if len(ends) > 2 or min(ends) < 1:
        raise ValueError(f"{width!r} is neither a positive width nor a taper such as 1024-64")
    if is_constant(width):
        return (ends[0],) * depth
    steps = np.linspace(0.0, 1.0, depth)
    return tuple(int(n) for n in np.rint(ends[0] * (ends[1] / ends[0]) ** steps))


def is_constant(width: str) -> bool:
    """Whether a network of this width is the start of any deeper one."""
    return "-" not in width


def input_width(first_hidden: int, probe: Probe) -> int:
    """width_0: the first hidden layer's, but for real images, which have their own."""
    return input_of(probe.input).entry.width or first_hidden
