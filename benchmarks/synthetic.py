"""Results as large as wanted without the kernel: what its numbers look like, drawn at random."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from winit.network.cells import KERNEL_VERSION
from winit.network.diagnostics import COLUMNS, Column
from winit.sweep.config import Config
from winit.sweep.schema import ARROW_TYPES, COUNTS, LAYERS
from winit.sweep.store import Part, Record
from winit.sweep.tasks import packages

_ENTRIES = 128 * 512  # of a layer that is counted: batch × width

INITIALIZERS = (
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "glorot_normal",
    "glorot_uniform",
    "normal(std=0.01)",
    "normal(std=1.0)",
    "orthogonal",
    "zeros",
)
ACTIVATIONS = ("relu", "tanh", "gelu", "sigmoid", "elu")
DEPTHS = (3, 5, 10, 18)


def grid(cells: int, *, histograms: bool = True, results: str = "results") -> Config:
    """A config of ``cells`` cells, a multiple of 200, of ten layer rows each on average."""
    per_seed = len(INITIALIZERS) * len(ACTIVATIONS) * len(DEPTHS)
    seeds, rest = divmod(cells, per_seed)
    if rest:
        raise ValueError(f"{cells} is not a multiple of {per_seed}")
    axes = {
        "initializer": list(INITIALIZERS),
        "activation": list(ACTIVATIONS),
        "depth": list(DEPTHS),
        "width": 512,
        "seed": {"count": seeds},
    }
    settings = {"results": results, "training": {"grids": []}}
    probe = {"batch": 128, "histograms": histograms}
    return Config.checked(settings | {"grids": [axes], "probe": probe}, "benchmark")


def rows_of(cells: pa.Table, generator: np.random.Generator) -> pa.Table:
    """Layer rows for rows of a plan, with the schema ``LAYERS``."""
    depth = cells["depth"].to_numpy()
    counts = depth + 1
    of_cell = np.repeat(np.arange(len(counts)), counts)
    layer = np.arange(len(of_cell)) - np.repeat(np.cumsum(counts) - counts, counts)
    repeat = pa.array(of_cell)
    units = cells["width"].cast(pa.string()).cast(pa.int32()).take(repeat)
    columns = {
        "layer": pa.array(layer, pa.int32()),
        "fan_in": pa.array(units.to_numpy(), pa.int32(), mask=layer == 0),
        "fan_out": units,
    }
    columns |= {
        column.name: _measured(column, layer, generator, histograms=cells["histograms"][0].as_py())
        for column in COLUMNS
    }
    for name in LAYERS.names:
        if name not in columns:
            columns[name] = cells[name].take(repeat)
    return pa.table([columns[name] for name in LAYERS.names], schema=LAYERS)


def parts(plan: pa.Table, cells: int) -> Iterator[Part]:
    """The cells of a plan, so many to a part."""
    generator = np.random.default_rng(0)
    for start in range(0, plan.num_rows, cells):
        some = plan.slice(start, cells)
        records = [Record(cell, 0.01) for cell in some["cell_id"].to_pylist()]
        yield Part(rows_of(some, generator), records, KERNEL_VERSION, packages())


def measured(depth: int) -> dict[str, NDArray[np.generic]]:
    """A cell's table as the kernel gives it."""
    generator = np.random.default_rng(0)
    rows = depth + 1
    table: dict[str, NDArray[np.generic]] = {}
    for column in COLUMNS:
        if column.kind == "float":
            table[column.name] = np.exp(generator.standard_normal(rows))
        elif column.kind == "count":
            table[column.name] = generator.integers(1, 512, rows, np.int32)
        else:
            table[column.name] = _histograms(rows, column.slots, generator)
    return table


def _measured(
    column: Column, layer: NDArray[np.int64], generator: np.random.Generator, *, histograms: bool
) -> pa.Array:
    """A column of the kernel's; the input, layer 0, lacks some of them, and here all."""
    rows, undefined = len(layer), layer == 0
    if column.kind == "float":
        return pa.array(np.exp(generator.standard_normal(rows)), mask=undefined)
    if column.kind == "count":
        return pa.array(generator.integers(1, 512, rows, np.int32), ARROW_TYPES["count"], mask=undefined)
    if not histograms:
        return pa.nulls(rows, COUNTS)
    counts = _histograms(rows - undefined.sum(), column.slots, generator)
    ends = np.cumsum(np.where(undefined, 0, column.slots), dtype=np.int32)
    offsets = pa.array(np.concatenate(([0], ends)), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(counts.ravel()), COUNTS, mask=pa.array(undefined))


def _histograms(rows: int, slots: int, generator: np.random.Generator) -> NDArray[np.uint32]:
    """Counts of so many Gaussian layers: a hump of its own place and breadth in each."""
    place = generator.uniform(0.4, 0.6, (rows, 1)).astype(np.float32) * slots
    breadth = generator.uniform(0.5, 3.0, (rows, 1)).astype(np.float32)
    hump = np.exp(-0.5 * ((np.arange(slots, dtype=np.float32) - place) / breadth) ** 2)
    expected = hump * (_ENTRIES / hump.sum(axis=1, keepdims=True))
    noise = generator.standard_normal(expected.shape, dtype=np.float32)
    counts: NDArray[np.float32] = np.maximum(np.rint(expected + np.sqrt(expected) * noise), 0)
    return counts.astype(np.uint32)
