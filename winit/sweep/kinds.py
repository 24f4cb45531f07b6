"""The two kinds of cells that a sweep computes: networks pushed through, and networks trained.

To the plan, the store and the engine both are cells with an id; what differs stands here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from winit.network import diagnostics, training
from winit.network.cells import KERNEL_VERSION, Cell, Probe, hidden_widths
from winit.network.kernel import Measured, measure
from winit.network.sources import Sources, of_labels
from winit.network.training import TRAINING_VERSION, Run, Task, Trained, train
from winit.sweep.costs import activation_arrays, cell_memory, making, result_memory, training_memory
from winit.sweep.layout import Results
from winit.sweep.machine import working
from winit.sweep.plan import sources_in
from winit.sweep.rows import layer_rows, training_rows
from winit.sweep.schema import CELL_KEYS, LAYERS, TRAINED_KEYS, TRAINING
from winit.sweep.store import Store

AnyCell = Cell | Run
_LABELS = ("initializer", "activation", "input")


@dataclass(frozen=True)
class Kind:
    """A kind of cells."""

    work: str
    """What computing them is called, and what they are called, where people look on."""
    unit: str
    version: str
    """Of the numerics; part of every id."""
    cell: Callable[[dict[str, Any], Sources], AnyCell]
    """From a row of the plan, and the sources of the user's own functions in it, to a cell."""
    compute: Callable[[Any], Any]
    """From cells to what they came to, as they finish."""
    rows: Callable[[Any], pa.Table]
    """From what cells came to, to their rows."""
    schema: pa.Schema
    """Of the rows."""
    measured: tuple[str, ...]
    """Those of its columns that come from computing."""


def _cell(row: dict[str, Any], sources: Sources) -> Cell:
    probe = Probe(**{name: row[name] for name in Probe.__dataclass_fields__})
    return Cell(**{key: row[key] for key in CELL_KEYS}, probe=probe, sources=sources)


def _run(row: dict[str, Any], sources: Sources) -> Run:
    task = Task(**{name: row[name] for name in Task.__dataclass_fields__})
    return Run(**{key: row[key] for key in TRAINED_KEYS}, task=task, sources=sources)


def _measure(cells: Sequence[Cell]) -> Iterator[Measured]:
    """Standard draws are kept only as far as the worker's memory goes."""
    results = sum(result_memory(cell.depth) for cell in cells)
    need = results + max(map(_need, cells))
    with working(need) as room:
        yield from measure(cells, room)


def _need(cell: Cell) -> float:
    widths = hidden_widths(cell.width, cell.depth)
    made = making(cell.initializer, cell.activation, cell.probe.dtype, cell.sources)
    arrays = activation_arrays(cell.activation, cell.sources)
    return cell_memory(widths, cell.probe, made, arrays, cell.sources)


def _train(runs: Sequence[Run]) -> Iterator[Trained]:
    need = max(training_memory(hidden_widths(run.width, run.depth), run.task) for run in runs)
    with working(need):
        yield from train(runs)


def _names(columns: Iterable[diagnostics.Column]) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


KINDS: dict[type[AnyCell], Kind] = {
    Cell: Kind(
        "sweep", "cells", KERNEL_VERSION, _cell, _measure, layer_rows, LAYERS, _names(diagnostics.COLUMNS)
    ),
    Run: Kind(
        "train", "runs", TRAINING_VERSION, _run, _train, training_rows, TRAINING, _names(training.COLUMNS)
    ),
}


def kind_of(plan: pa.Table) -> Kind:
    """The kind of the cells in a plan."""
    return KINDS[Run if "learning_rate" in plan.schema.names else Cell]


def store_of(sweep: Results, plan: pa.Table) -> Store:
    """The store of a sweep with this plan."""
    return Store(sweep.parts, kind_of(plan).measured)


def cells_of(rows: pa.Table) -> list[AnyCell]:
    """The rows of a plan as cells."""
    kind, sources = kind_of(rows), sources_in(rows)
    return [
        kind.cell(row, of_labels([row[key] for key in _LABELS if key in row], sources) if sources else ())
        for row in rows.to_pylist()
    ]
