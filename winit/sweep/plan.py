"""From a config to the cells, their cost, and how they are cut into blocks and shards.

All cells of a plan are held as columns, so that a million of them take seconds and megabytes.
"""

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winit.errors import WinitError
from winit.network.cells import Cell, Probe, cell_id, hidden_widths, input_width, is_constant
from winit.network.diagnostics import gram_is_cheaper
from winit.network.initializers import initializer
from winit.network.sources import Source, Sources, identity, of_labels
from winit.sweep.config import Config
from winit.sweep.schema import PLAN

# What one core of a current machine does, roughly; only the length of a block hangs on these.
_FLOPS_PER_SECOND = 1.0e11
_SECONDS_PER_ENTRY = 8.0e-9  # activation and statistics, per entry of a layer and pass
_SECONDS_PER_LAYER = 1.0e-4  # calls, per layer and pass

_SHARDS = b"shards"
_SOURCES = b"sources"
_PASSING_ARRAYS = 6  # at most so many arrays of a layer's size live at once besides what is kept
_QR_ARRAYS = 4  # the matrix in float64, Q, R, and what LAPACK works in

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """What a pass over a network takes."""

    flops: float = 0.0
    entries: float = 0.0
    layers: int = 0

    @property
    def seconds(self) -> float:
        """On one core, estimated."""
        return (
            self.flops / _FLOPS_PER_SECOND
            + self.entries * _SECONDS_PER_ENTRY
            + self.layers * _SECONDS_PER_LAYER
        )


def forward_cost(widths: tuple[int, ...], probe: Probe) -> Cost:
    """Of the forward pass through hidden layers of these widths."""
    fans = _fans(widths, probe)
    flops = sum(2.0 * probe.batch * fan_in * fan_out for fan_in, fan_out in fans)
    return Cost(flops, float(probe.batch * sum(widths)), len(widths))


def backward_cost(widths: tuple[int, ...], probe: Probe) -> Cost:
    """Of the backward pass, the weight gradients' statistics with it."""
    batch = probe.batch
    fans = _fans(widths, probe)
    flops = 2.0 * batch * widths[-1] * probe.outputs
    flops += sum(2.0 * batch * fan_in * fan_out for fan_in, fan_out in fans[1:])
    for fan_in, fan_out in fans:
        grams = gram_is_cheaper(batch, fan_in, fan_out)
        flops += float(batch) ** 2 * (fan_in + fan_out) if grams else 2.0 * batch * fan_in * fan_out
    return Cost(flops, float(batch * sum(widths)), len(widths))


def memory(widths: tuple[int, ...], probe: Probe, *, iid: bool = True) -> float:
    """Bytes of the largest working set: the draws, the weights, and what the backward pass needs.

    Weights that are not i.i.d. (``iid`` false) are decompositions, made and kept in float64.
    """
    fans = _fans(widths, probe)
    batch, item = probe.batch, np.dtype(probe.dtype).itemsize
    weights = sum(fan_in * fan_out for fan_in, fan_out in fans)
    entries = batch * (fans[0][0] + 2 * sum(widths))  # h and φ'(z) of every layer
    for fan_in, fan_out in fans:
        if gram_is_cheaper(batch, fan_in, fan_out):
            entries += batch * (fan_in + batch)  # the centred h, and its Gram matrix
    passing = _PASSING_ARRAYS * max(n for a, b in fans for n in (batch * a, batch * b, a * b))
    # The standard draws are float32, and a block may hold those of two distributions.
    draws = 2 * weights * 4
    if not iid:
        draws += (weights + _QR_ARRAYS * max(fan_in * fan_out for fan_in, fan_out in fans)) * 8
    return float((weights + entries + passing) * item + draws)


def _fans(widths: tuple[int, ...], probe: Probe) -> list[tuple[int, int]]:
    return list(zip((input_width(widths[0], probe), *widths[:-1]), widths, strict=True))


def make_plan(config: Config, shards: int = 1) -> pa.Table:
    """The cells of ``config``, each once, with the schema ``PLAN``.

    Neighbours share what the kernel can share: rows are sorted by probe, width, seed, activation,
    initializer, depth. Blocks are runs of about ``block_seconds``; shards are runs of blocks of
    about equal cost.
    """
    grid = _expand(config)
    sources = config.sources
    cost = _Costs(grid, sources)
    block, shard = _cut(grid, cost.seconds, config.sweep.block_seconds, shards)
    grid_ids = grid.with_levels(
        initializer=[identity(label, sources) for label in grid.levels["initializer"]],
        activation=[identity(label, sources) for label in grid.levels["activation"]],
    )
    parts = ("initializer", "activation", "depth", "width", "seed", "probe")
    ids = [cell_id(*values) for values in zip(*map(grid_ids.values, parts), strict=True)]
    columns = {
        "cell_id": pa.array(ids),
        "flops": pa.array(cost.flops),
        "memory": pa.array(cost.memory),
        "block": pa.array(block, pa.int32()),
        "shard": pa.array(shard, pa.int32()),
    }
    for field in PLAN:
        if field.name not in columns:
            columns[field.name] = grid.column(field)
    texts = json.dumps([asdict(source) for source in sources])
    schema = PLAN.with_metadata({_SHARDS: str(shards), _SOURCES: texts})
    return pa.table([columns[name] for name in PLAN.names], schema=schema)


def shards_of(plan: pa.Table) -> int:
    """Into how many shards a plan was cut; some may be empty."""
    return int(plan.schema.metadata[_SHARDS])


def sources_in(plan: pa.Table) -> Sources:
    """The user's own functions as they were when the plan was made: these are what is computed."""
    return tuple(Source(**source) for source in json.loads(plan.schema.metadata.get(_SOURCES, b"[]")))


def check_memory(plan: pa.Table, limit: float) -> None:
    """Raise WinitError where a cell needs more than ``limit`` bytes."""
    largest = pc.max(plan["memory"]).as_py()
    if largest <= limit:
        return
    row = plan.slice(pc.index(plan["memory"], largest).as_py(), 1).to_pylist()[0]
    raise WinitError(
        f"a cell of depth {row['depth']}, width {row['width']} and batch {row['batch']} needs about"
        f" {largest / 1e9:,.1f} GB of memory, and there are {limit / 1e9:,.1f} GB; take a smaller one"
    )


def totals(plan: pa.Table) -> dict[str, str]:
    """What a plan comes to, in words, by name."""
    rows = pc.sum(pc.add(plan["depth"], 1)).as_py()
    return {
        "cells": f"{plan.num_rows:,}",
        "layer rows": f"{rows:,}",
        "blocks": f"{len(plan['block'].unique()):,}",
        "shards": f"{shards_of(plan):,}",
        "teraFLOP": f"{pc.sum(plan['flops']).as_py() / 1e12:.3g}",
        "MB of memory for the largest cell": f"{pc.max(plan['memory']).as_py() / 1e6:,.0f}",
    }


def cells_of(rows: pa.Table) -> list[Cell]:
    """The rows of a plan as cells."""
    sources = sources_in(rows)
    return [
        Cell(
            row["initializer"],
            row["activation"],
            row["depth"],
            row["width"],
            row["seed"],
            Probe(**{name: row[name] for name in Probe.__dataclass_fields__}),
            of_labels([row["initializer"], row["activation"]], sources) if sources else (),
        )
        for row in rows.to_pylist()
    ]


class _Grid:
    """The union of the grids: the values of each axis, and for each cell its place on each."""

    axes = ("probe", "width", "seed", "activation", "initializer", "depth")

    def __init__(self, levels: dict[str, list[Any]], codes: dict[str, Integers]) -> None:
        self.levels = levels
        self.codes = codes

    def with_levels(self, **levels: list[Any]) -> "_Grid":
        """The same cells, with other words for the values of some axes."""
        return _Grid(self.levels | levels, self.codes)

    def values(self, axis: str) -> list[Any]:
        levels = self.levels[axis]
        return [levels[code] for code in self.codes[axis]]

    def column(self, field: pa.Field) -> pa.Array:
        """An Arrow column of an axis, or of one setting of the probe."""
        axis = field.name if field.name in self.levels else "probe"
        levels = self.levels[axis]
        if axis == "probe":
            levels = [getattr(probe, field.name) for probe in levels]
        if pa.types.is_dictionary(field.type):
            distinct = list(dict.fromkeys(levels))
            places = np.array([distinct.index(level) for level in levels], np.int32)
            return pa.DictionaryArray.from_arrays(places[self.codes[axis]], pa.array(distinct, pa.string()))
        return pa.array(np.array(levels)[self.codes[axis]], field.type)


def _expand(config: Config) -> _Grid:
    levels: dict[str, list[Any]] = {"probe": list(dict.fromkeys(grid.probe.probe for grid in config.grids))}
    for axis in _Grid.axes[1:]:
        levels[axis] = sorted({value for grid in config.grids for value in getattr(grid, axis)})
    place = {axis: {value: i for i, value in enumerate(values)} for axis, values in levels.items()}
    shape = tuple(len(levels[axis]) for axis in _Grid.axes)
    # A cell is one number in mixed radix: sorting and uniting the grids is one np.unique.
    numbers: list[Integers] = []
    for grid in config.grids:
        values = [[grid.probe.probe], *(getattr(grid, axis) for axis in _Grid.axes[1:])]
        codes = [
            np.array([place[axis][value] for value in chosen])
            for axis, chosen in zip(_Grid.axes, values, strict=True)
        ]
        numbers.append(np.ravel_multi_index(np.ix_(*codes), shape).ravel())
    cells = np.unique(np.concatenate(numbers))
    # A cell that is asked for with histograms and without has the same numbers: the one with them does.
    stride = math.prod(shape[1:])
    for code, probe in enumerate(levels["probe"]):
        twin = place["probe"].get(replace(probe, histograms=True), code)
        shift = (twin - code) * stride
        cells = cells[(cells // stride != code) | ~np.isin(cells + shift, cells) | (shift == 0)]
    found = np.unravel_index(cells, shape)
    return _Grid(levels, dict(zip(_Grid.axes, found, strict=True)))


class _Costs:
    """FLOPs and memory of each cell alone, and the seconds that it adds to its network."""

    def __init__(self, grid: _Grid, sources: Sources) -> None:
        codes, levels = grid.codes, grid.levels
        iid = np.array([initializer(label, sources).is_iid for label in levels["initializer"]])
        shape = (*(len(levels[axis]) for axis in ("probe", "width", "depth")), 2)
        places = (*(codes[axis] for axis in ("probe", "width", "depth")), iid[codes["initializer"]])
        kinds = np.ravel_multi_index(places, shape)
        distinct, of_cell = np.unique(kinds, return_inverse=True)
        table = np.zeros((len(distinct), 4))
        for row, kind in enumerate(distinct):
            probe_code, width_code, depth_code, is_iid = np.unravel_index(kind, shape)
            probe = levels["probe"][probe_code]
            widths = hidden_widths(levels["width"][width_code], levels["depth"][depth_code])
            ahead, back = forward_cost(widths, probe), backward_cost(widths, probe)
            table[row] = (
                ahead.flops + back.flops,
                memory(widths, probe, iid=bool(is_iid)),
                ahead.seconds,
                back.seconds,
            )
        self.flops, self.memory, ahead_seconds, back_seconds = table[of_cell].T
        self.seconds: Floats = back_seconds + np.where(_deepest(grid), ahead_seconds, 0.0)


def _deepest(grid: _Grid) -> NDArray[np.bool_]:
    """Whether a cell is the one whose forward pass serves its network: the last of its run."""
    constant = np.array([is_constant(width) for width in grid.levels["width"]])
    return _network_ends(grid) | ~constant[grid.codes["width"]]


def _network_ends(grid: _Grid) -> NDArray[np.bool_]:
    """Whether the next cell is of another network, depth apart."""
    ends = np.zeros(len(grid.codes["depth"]), np.bool_)
    for axis in _Grid.axes[:-1]:
        ends[:-1] |= np.diff(grid.codes[axis]) != 0
    ends[-1] = True
    return ends


def _cut(grid: _Grid, seconds: Floats, target: float, shards: int) -> tuple[Integers, Integers]:
    """The block of each cell, counted from 0, and its shard, counted from 1."""
    ends = np.flatnonzero(_network_ends(grid))
    starts = np.concatenate(([0], ends[:-1] + 1))
    network_seconds = np.add.reduceat(seconds, starts)
    network_block = np.floor((np.cumsum(network_seconds) - network_seconds / 2) / target)
    # Number the blocks 0, 1, … without gaps: a network longer than the target leaves some.
    _, network_block = np.unique(network_block, return_inverse=True)
    block = np.repeat(network_block, ends + 1 - starts)
    middle = np.cumsum(seconds) - seconds / 2
    centre = np.bincount(block, middle * seconds) / np.bincount(block, seconds)
    shard = np.minimum(np.floor(centre / seconds.sum() * shards), shards - 1) + 1
    return block, shard[block].astype(np.int64)
