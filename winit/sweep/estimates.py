"""What a plan, or what is left of it, will take: work, memory, bytes on the disk, time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from winit.network.training import recorded_steps
from winit.sweep.grid import Floats
from winit.sweep.plan import peak_memory, shards_of

# Bytes on the disk of a row in the store, and once more in the dataset. Measured on grids of eight
# initializers, three activations, depths 1 to 50 and widths 64 to 1024: 135 to 235 with histograms, 103 to
# 136 without; the larger ones where no network is degenerate. A row of training takes 64 to 68.
_LAYER_ROW = 200
_LAYER_ROW_WITHOUT_HISTOGRAMS = 130
_TRAINING_ROW = 70
# Of a cell in the plan, in the footers of the store and in the table of cells: 25 to 60, 50, 60 to 100.
_CELL = 160


@dataclass(frozen=True)
class Estimate:
    """What computing some rows of a plan takes."""

    cells: int
    blocks: int
    shards: int
    rows: int
    """that are stored: layer rows, and with training one for each recorded step"""
    flops: float
    worker: float
    """bytes, the peak of a worker"""
    disk: float
    """bytes, of the store and of the dataset"""
    seconds: float
    """on one core of this machine"""
    longest: float
    """of these, those of the longest block, which no number of cores makes shorter"""

    def time(self, cores: int) -> float:
        """Seconds on so many cores."""
        return max(self.seconds / cores, self.longest)


def estimate(rows: pa.Table, seconds: Floats) -> Estimate:
    """What ``rows`` of a plan take, of which each computes for ``seconds`` on one core of this machine."""
    depth = rows["depth"].to_numpy()
    if "steps" in rows.schema.names:
        records = {steps: len(recorded_steps(steps)) for steps in rows["steps"].unique().to_pylist()}
        stored = np.array([records[steps] for steps in rows["steps"].to_pylist()], np.int64) * (depth + 1)
        size = stored.sum() * _TRAINING_ROW
    else:
        stored = depth + np.int64(1)
        histograms = rows["histograms"].to_numpy()
        size = (stored * np.where(histograms, _LAYER_ROW, _LAYER_ROW_WITHOUT_HISTOGRAMS)).sum()
    blocks, block = np.unique(rows["block"].to_numpy(), return_inverse=True)
    return Estimate(
        cells=rows.num_rows,
        blocks=len(blocks),
        shards=shards_of(rows),
        rows=int(stored.sum()),
        flops=pc.sum(rows["flops"]).as_py() or 0.0,
        worker=peak_memory(rows),
        disk=2.0 * float(size) + _CELL * rows.num_rows,
        seconds=float(seconds.sum()),
        longest=max(np.bincount(block, seconds), default=0.0),
    )


def show(named: Sequence[tuple[str, Estimate]], cores: int) -> None:
    """Print estimates side by side, each under its name: a line for each quantity."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("")
    for name, _ in named:
        table.add_column(name, justify="right")
    estimates = [each for _, each in named]
    lines = {
        "number": [f"{e.cells:,}" for e in estimates],
        "blocks": [f"{e.blocks:,}" for e in estimates],
        "shards": [f"{e.shards:,}" for e in estimates],
        "layer rows": [f"{e.rows:,}" for e in estimates],
        "FLOPs": [_with_prefix(e.flops, "FLOP") for e in estimates],
        "peak memory of a worker": [_with_prefix(e.worker, "B") for e in estimates],
        "bytes on disk": [_with_prefix(e.disk, "B") for e in estimates],
        f"time on {cores} core{'s' if cores > 1 else ''}": [duration(e.time(cores)) for e in estimates],
    }
    for name, values in lines.items():
        table.add_row(name, *values)
    Console(highlight=False).print(table)


_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def _with_prefix(value: float, unit: str) -> str:
    """Three digits and a decimal prefix: 3.45 TFLOP."""
    power = 0
    while value >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_PREFIXES[power]}{unit}"


_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"))


def duration(seconds: float) -> str:
    """A time in words: two digits, in the unit that a person would take; at least a second."""
    for length, name in _UNITS:
        if seconds >= 2 * length:
            return f"{_two_digits(seconds / length)} {name}"
    return f"{max(1, round(seconds))} s"


def _two_digits(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"
