"""What the kernel and the training probe give, as the rows of their tables."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from winit.network import training
from winit.network.cells import Cell, hidden_widths, input_width, width_ends
from winit.network.datasets import dataset
from winit.network.diagnostics import COLUMNS, Column
from winit.network.kernel import Measured
from winit.network.training import Run, Trained
from winit.sweep.schema import (
    ARROW_TYPES,
    CELL_KEYS,
    COUNTS,
    LAYERS,
    PROBE_KEYS,
    RUN_KEYS,
    TASK_KEYS,
    TRAINING,
)


def layer_rows(measured: Sequence[Measured]) -> pa.Table:
    """The layer rows of finished cells, one table with the schema ``LAYERS``."""
    if not measured:
        return LAYERS.empty_table()
    cells = [m.cell for m in measured]
    rows = [cell.depth + 1 for cell in cells]
    settings = {name: [getattr(cell.probe, name) for cell in cells] for name in PROBE_KEYS}
    keys: dict[str, list[object]] = {"cell_id": [cell.id for cell in cells]}
    keys |= {name: [getattr(cell, name) for cell in cells] for name in CELL_KEYS} | settings
    keys |= _ends(cells)
    columns = _repeated(keys, rows, LAYERS)
    fan_out = [_units(m) for m in measured]
    columns["layer"] = pa.array(np.concatenate([np.arange(n) for n in rows]), pa.int32())
    columns["fan_in"] = pa.array([n for units in fan_out for n in (None, *units[:-1])], pa.int32())
    columns["fan_out"] = pa.array([n for units in fan_out for n in units], pa.int32())
    for column in COLUMNS:
        columns[column.name] = _column(column, measured)
    return pa.table([columns[name] for name in LAYERS.names], schema=LAYERS)


def training_rows(trained: Sequence[Trained]) -> pa.Table:
    """The rows of finished runs, one table with the schema ``TRAINING``."""
    if not trained:
        return TRAINING.empty_table()
    runs = [t.cell for t in trained]
    rows = [len(t.table["step"]) for t in trained]
    keys: dict[str, list[object]] = {"cell_id": [run.id for run in runs]}
    for name in RUN_KEYS:
        keys[name] = [getattr(run.task if name in TASK_KEYS else run, name) for run in runs]
    keys |= _ends(runs)
    columns = _repeated(keys, rows, TRAINING)
    for name in ("step", "layer"):
        columns[name] = pa.array(np.concatenate([t.table[name] for t in trained]), pa.int32())
    fans = []
    for run in runs:
        entry = dataset(run.task.data).entry
        fans.append(np.array([entry.width, *hidden_widths(run.width, run.depth), entry.classes]))
    layers = [t.table["layer"].astype(int) for t in trained]
    for name, shift in (("fan_in", 1), ("fan_out", 0)):
        units = [fan[layer - shift] for fan, layer in zip(fans, layers, strict=True)]
        columns[name] = pa.array(np.concatenate(units), pa.int32())
    for column in training.COLUMNS:
        columns[column.name] = _column(column, trained)
    return pa.table([columns[name] for name in TRAINING.names], schema=TRAINING)


def _ends(cells: Sequence[Cell] | Sequence[Run]) -> dict[str, list[object]]:
    """The widths in numbers."""
    first, last = zip(*(width_ends(cell.width) for cell in cells), strict=True)
    return {"width_first": list(first), "width_last": list(last)}


def _repeated(
    keys: Mapping[str, Sequence[object]], rows: Sequence[int], schema: pa.Schema
) -> dict[str, pa.Array]:
    """The keys of each cell on so many rows."""
    repeat = pa.array(np.repeat(np.arange(len(rows)), rows))
    return {name: pa.array(values, schema.field(name).type).take(repeat) for name, values in keys.items()}


def _units(measured: Measured) -> tuple[int, ...]:
    """Units of the layers 0 … depth."""
    hidden = hidden_widths(measured.cell.width, measured.cell.depth)
    return (input_width(hidden[0], measured.cell.probe), *hidden)


def _column(column: Column, measured: Sequence[Measured] | Sequence[Trained]) -> pa.Array:
    """What the kernel left undefined (NaN, −1, no counts at all) is null."""
    values = np.concatenate([m.table[column.name] for m in measured])
    if column.kind == "counts":
        counted = values.any(axis=1)
        ends = np.cumsum(np.where(counted, column.slots, 0), dtype=np.int32)
        offsets = pa.array(np.concatenate(([0], ends)), pa.int32())
        entries = pa.array(values[counted].ravel())
        return pa.ListArray.from_arrays(offsets, entries, COUNTS, mask=pa.array(~counted))
    undefined = np.isnan(values) if column.kind == "float" else values < 0
    return pa.array(values, ARROW_TYPES[column.kind], mask=undefined)
