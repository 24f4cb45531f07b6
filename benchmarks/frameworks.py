"""winit beside what one would write without it: PyTorch with hooks, and the notes' loop in NumPy.

The same networks and the same columns, in one process, on one thread; the weights are each one's own draws.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import plain_numpy
from benchmarks.kernel import cells, compute
from benchmarks.measuring import Benchmark, NotInstalledError, ratios
from winit.network.cells import Cell, Probe
from winit.sweep.config import Config

DEFAULT_CONFIG = Path(__file__).parents[1] / "config/default.yaml"
BATCH = 256
NOTE_LAYERS, NOTE_WIDTH, NOTE_BATCH = 10, "500", 1000
"""Of the note's experiment."""


def default_cells() -> list[Cell]:
    """The first grid of the default sweep, with one of its seeds."""
    grid = Config.read(DEFAULT_CONFIG).grids[0]
    axes = product(grid.activation, grid.initializer, grid.depth, grid.width, grid.seed[:1])
    return [
        Cell(initializer, activation, depth, width, seed, grid.probe.probe)
        for activation, initializer, depth, width, seed in axes
    ]


def note_cells() -> list[Cell]:
    """The note's network with each of the notes' initializers."""
    axes = product(plain_numpy.ACTIVATIONS, plain_numpy.INITIALIZERS)
    return [
        Cell(initializer, activation, NOTE_LAYERS, NOTE_WIDTH, 0, Probe(batch=NOTE_BATCH))
        for activation, initializer in axes
    ]


def _plain_torch() -> ModuleType:
    """Raises NotInstalledError where PyTorch is not there."""
    try:
        from benchmarks import plain_torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise NotInstalledError("PyTorch is not installed: pip install torch") from None
    return plain_torch


def _compared(
    other: Callable[[Sequence[Cell]], Any], some: Sequence[Cell], short: Sequence[Cell], rounds: int
) -> Iterator[float]:
    """Time of ``other`` ÷ time of winit for ``some``; both run ``short`` first."""

    def warm_up() -> None:
        other(short)
        compute(short)

    return ratios(lambda: other(some), lambda: compute(some), rounds, warm_up)


def _torch(name: str, width: int, target: float, *, flush_subnormals: bool = False) -> Benchmark:
    def run(rounds: int) -> Iterator[float]:
        other = functools.partial(_plain_torch().compute, flush_subnormals=flush_subnormals)
        yield from _compared(other, cells(width, BATCH), cells(width, BATCH, (2,)), rounds)

    what = (
        f"PyTorch{' that flushes subnormals' * flush_subnormals} ÷ winit, width {width}, batch {BATCH}"
        " (8 initializers, depths 10, 20, 50, tanh and relu)"
    )
    return Benchmark(name, what, target, "at least", "×", run)


def _torch_default(rounds: int) -> Iterator[float]:
    some = default_cells()
    shortest = min(cell.depth for cell in some)
    short = [cell for cell in some if cell.depth == shortest]
    yield from _compared(_plain_torch().compute, some, short, rounds)


def _numpy_loop(rounds: int) -> Iterator[float]:
    some = note_cells()
    yield from _compared(plain_numpy.compute, some, some[:1], rounds)


BENCHMARKS = (
    _torch("torch-512", 512, 3.0),
    _torch("torch-512-flushed", 512, 2.0, flush_subnormals=True),
    _torch("torch-64", 64, 2.0),
    _torch("torch-256", 256, 2.0),
    _torch("torch-1024", 1024, 2.0),
    Benchmark(
        "torch-default",
        "PyTorch ÷ winit, the networks of the default sweep's first grid, one seed",
        1.5,
        "at least",
        "×",
        _torch_default,
    ),
    Benchmark(
        "numpy-loop",
        f"the notes' NumPy loop with all statistics and a backward pass ÷ winit, {NOTE_LAYERS} layers of"
        f" {NOTE_WIDTH}, batch {NOTE_BATCH} (5 initializers, tanh and relu)",
        3.0,
        "at least",
        "×",
        _numpy_loop,
    ),
)
