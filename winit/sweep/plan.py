"""From a config to the cells, their cost, and how they are cut into blocks and shards.

There are two plans of one make: the cells that are pushed through, and the runs that are trained.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winit.errors import WinitError
from winit.network.cells import Probe, cell_id, hidden_widths, is_constant, width_ends
from winit.network.sources import Source, Sources, identity
from winit.network.training import Task, run_id
from winit.sweep.config import Config
from winit.sweep.costs import (
    Making,
    activation_arrays,
    backward_cost,
    cell_memory,
    draws_memory,
    forward_cost,
    making,
    result_memory,
    training_cost,
    training_memory,
)
from winit.sweep.data import DataFile
from winit.sweep.grid import Floats, Grid, cut
from winit.sweep.held import held
from winit.sweep.layout import SHARDS_KEY
from winit.sweep.machine import USABLE, WORKER_BYTES
from winit.sweep.origins import Origin, origins_of
from winit.sweep.schema import PLAN, TRAINING_PLAN
from winit.sweep.seals import write_sealed
from winit.sweep.settings import Room

_SOURCES = b"sources"

_BYTES_PLANNING_A_CELL = 500  # measured: 350, and what comes before them

_CELL_AXES = ("probe", "width", "seed", "activation", "initializer", "depth")
_RUN_AXES = ("task", "width", "seed", "learning_rate", "activation", "initializer", "depth")


def make_plan(config: Config, shards: int = 1) -> pa.Table:
    """The cells of ``config``, each once, with the schema ``PLAN``; none where it has no grids.

    Neighbours share what the kernel can share: rows are sorted by probe, width, seed, activation,
    initializer, depth. Blocks are runs of about ``block_seconds``; shards are runs of blocks of
    about equal cost.
    """
    products = [
        {"probe": [grid.probe.probe]} | {axis: getattr(grid, axis) for axis in _CELL_AXES[1:]}
        for grid in config.grids
    ]
    sources = config.sources
    schema = PLAN.with_metadata(_metadata(origins_of(config, sources).cells, sources, shards))
    if not products:
        return schema.empty_table()
    grid = _each_once(Grid.union(products))
    cost = cell_costs(grid, sources)
    cut_ = _Cut(grid.ends(_CELL_AXES[:-1]), config.sweep.block_seconds, shards)
    parts = ("initializer", "activation", "depth", "width", "seed", "probe")

    def ids(grid: Grid) -> list[str]:
        identified = [probe.identified(sources) for probe in grid.levels["probe"]]
        return _ids(cell_id, grid.with_levels(probe=identified), parts)

    return _planned(grid, schema, cost, cut_, sources, ids)


def make_training_plan(config: Config) -> pa.Table:
    """The training runs of ``config``, each once, with the schema ``TRAINING_PLAN``; one shard."""
    products = [
        {"task": [grid.task.task]} | {axis: getattr(grid, axis) for axis in _RUN_AXES[1:]}
        for grid in config.training.grids
    ]
    sources = config.sources
    schema = TRAINING_PLAN.with_metadata(_metadata(origins_of(config, sources).runs, sources, 1))
    if not products:
        return schema.empty_table()
    grid = Grid.union(products)
    cost = run_costs(grid)
    cut_ = _Cut(np.ones(len(grid), np.bool_), config.sweep.block_seconds, 1)
    parts = ("initializer", "activation", "depth", "width", "learning_rate", "seed", "task")
    return _planned(grid, schema, cost, cut_, sources, lambda grid: _ids(run_id, grid, parts))


def shards_of(plan: pa.Table) -> int:
    """Into how many shards a plan was cut; some may be empty."""
    return int(plan.schema.metadata[SHARDS_KEY])


def sources_in(plan: pa.Table) -> Sources:
    """The user's own functions that a plan in memory is computed with; one that was read has none."""
    brought = json.loads(plan.schema.metadata.get(_SOURCES, b"[]"))
    return tuple(map(_brought, brought))


def _brought(source: dict[str, Any]) -> Any:
    if source.keys() == {"name"}:
        return held(source["name"])
    if "text" not in source:
        return DataFile(**source)
    beside, unseen = tuple(map(tuple, source["beside"])), tuple(source["unseen"])
    return Source(**source | {"beside": beside, "unseen": unseen})


def with_sources(plan: pa.Table, sources: Sources) -> pa.Table:
    """The plan, to be computed with these."""
    return plan.replace_schema_metadata(plan.schema.metadata | _carrying(sources))


def _carrying(sources: Sources) -> dict[bytes, bytes]:
    # What is held needs no more than its name: it is not to leave the process.
    carried = [
        asdict(each) if isinstance(each, (Source, DataFile)) else {"name": each.name} for each in sources
    ]
    return {_SOURCES: json.dumps(carried).encode()}


def write_plan(plan: pa.Table, path: Path) -> None:
    """Write a plan, sealed. It has no user's code in it: whoever reads it takes their own."""
    metadata = {key: value for key, value in plan.schema.metadata.items() if key != _SOURCES}
    write_sealed(plan.replace_schema_metadata(metadata), path)


def check_size(config: Config, memory: float) -> None:
    """Raise WinitError where planning the cells of ``config`` takes more than ``memory`` bytes."""
    cells = max(config.size, config.training.size)
    if cells * _BYTES_PLANNING_A_CELL > memory:
        raise WinitError(
            f"a plan of {cells:,} cells takes about {cells * _BYTES_PLANNING_A_CELL / 1e9:,.0f} GB of"
            f" memory, and there are {memory / 1e9:,.1f} GB; take shorter axes"
        )


def check_memory(plan: pa.Table, room: Room) -> None:
    """Raise WinitError where a cell or run does not fit into a worker.

    The message has the numbers, and with how many workers it would fit, if with any.
    """
    need, memory = largest_memory(plan), room.memory
    workers = min(room.workers, plan.num_rows)  # the sweep starts no more
    if not workers or need <= _room(memory, workers):
        return
    row = plan.slice(pc.index(plan["memory"], need).as_py(), 1).to_pylist()[0]
    what = f"a {'run' if 'steps' in row else 'cell'} of depth {row['depth']}, width {row['width']} and batch"
    said = f"{what} {row['batch']} needs about {need / 1e9:,.1f} GB of memory, and "
    fitting = int(USABLE * memory / (need + WORKER_BYTES))
    if not fitting:
        raise WinitError(
            f"{said}{room.whose} memory is {memory / 1e9:,.1f} GB; take a smaller width, depth or batch"
        )
    raise WinitError(
        f"{said}each of {workers} workers has {_room(memory, workers) / 1e9:,.1f} of {room.whose}"
        f" {memory / 1e9:,.1f} GB for its cells; {room.mend.format(fitting)}, or take a smaller width, depth"
        " or batch"
    )


def largest_memory(plan: pa.Table) -> float:
    """Bytes of the working set of the largest cell; 0 where there is none."""
    return pc.max(plan["memory"]).as_py() or 0.0


def peak_memory(rows: pa.Table) -> float:
    """Bytes of a worker at its largest cell, with its standard draws and what a worker takes anyway."""
    need = largest_memory(rows)
    draws = 0.0
    if need and "steps" not in rows.schema.names:
        row = rows.slice(pc.index(rows["memory"], need).as_py(), 1).to_pylist()[0]
        probe = Probe(**{name: row[name] for name in Probe.__dataclass_fields__})
        draws = draws_memory(hidden_widths(row["width"], row["depth"]), probe)
    return need + draws + WORKER_BYTES


def _room(memory: float, workers: int) -> float:
    """Bytes that a worker has for its cells."""
    return USABLE * memory / workers - WORKER_BYTES


def seconds_of(rows: pa.Table) -> Floats:
    """Estimated seconds on one core of each of these rows of a plan, beyond what it shares with others.

    The rows may be some of the plan's, in its order.
    """
    if not rows.num_rows:
        return np.zeros(0)
    if "learning_rate" in rows.schema.names:
        return run_costs(Grid.of_rows(rows, "task", Task, _RUN_AXES[1:]))["seconds"]
    grid = Grid.of_rows(rows, "probe", Probe, _CELL_AXES[1:])
    # A user's own functions are not asked, which would be to run them.
    return _cell_seconds(grid)


@dataclass(frozen=True)
class _Cut:
    """How rows become blocks and shards."""

    ends: NDArray[np.bool_]
    block_seconds: float
    shards: int


def _planned(
    grid: Grid,
    schema: pa.Schema,
    cost: dict[str, Floats],
    where: _Cut,
    sources: Sources,
    ids: Callable[[Grid], list[str]],
) -> pa.Table:
    """The rows of a plan."""
    block, shard = cut(where.ends, cost.pop("seconds"), where.block_seconds, where.shards)
    # The results of a block are in memory together.
    cost["memory"] = cost["memory"] + np.bincount(block, cost.pop("results"))[block]
    with_texts = {
        axis: [identity(label, sources) for label in grid.levels[axis]]
        for axis in ("initializer", "activation")
    }
    ends = np.array([width_ends(width) for width in grid.levels["width"]], np.int32)[grid.codes["width"]]
    columns = {name: pa.array(values) for name, values in cost.items()}
    columns |= {
        "width_first": pa.array(ends[:, 0]),
        "width_last": pa.array(ends[:, 1]),
        "cell_id": pa.array(ids(grid.with_levels(**with_texts))),
        "block": pa.array(block, pa.int32()),
        "shard": pa.array(shard, pa.int32()),
    }
    for field in schema:
        if field.name not in columns:
            columns[field.name] = grid.column(field)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _metadata(origin: Origin, sources: Sources, shards: int) -> dict[bytes, bytes]:
    return origin.metadata | {SHARDS_KEY: str(shards).encode()} | _carrying(sources)


def _ids(make: Callable[..., str], grid: Grid, parts: tuple[str, ...]) -> list[str]:
    # An id is the digest of a text. That of the settings is made once here, and not for each cell again.
    settings = next(iter(grid.levels))
    texts = grid.with_levels(**{settings: [str(value) for value in grid.levels[settings]]})
    return list(map(make, *map(texts.values, parts)))


def _each_once(grid: Grid) -> Grid:
    """A cell that is asked for with histograms and without has the same numbers: the one with them does."""
    probes = grid.levels["probe"]
    twins = {
        code: replace(probe, histograms=True) for code, probe in enumerate(probes) if not probe.histograms
    }
    cells = grid.numbers(_CELL_AXES[1:])
    keep = np.ones(len(grid), np.bool_)
    for code, twin in twins.items():
        if twin in probes:
            plain = grid.codes["probe"] == code
            keep[plain] = ~np.isin(cells[plain], cells[grid.codes["probe"] == probes.index(twin)])
    return grid.only(keep)


def _of_kinds(grid: Grid, axes: tuple[str, ...], cost: Callable[..., tuple[float, ...]]) -> Any:
    """``cost`` of each point, an array a value, computed once for all points that agree on these axes."""
    _, firsts, of_point = np.unique(grid.numbers(axes), return_index=True, return_inverse=True)
    table = [cost(*(grid.levels[axis][grid.codes[axis][first]] for axis in axes)) for first in firsts]
    return np.array(table)[of_point].T


def cell_costs(grid: Grid, sources: Sources) -> dict[str, Floats]:
    """FLOPs and memory of each cell alone, bytes of its result, and the seconds it adds to its network."""
    networks = grid.numbers(("probe", "activation", "initializer"))
    _, firsts, of_point = np.unique(networks, return_index=True, return_inverse=True)
    loads = [
        (making(initializer, activation, probe.dtype, sources), activation_arrays(activation, sources))
        for probe, activation, initializer in (
            (grid.levels[axis][grid.codes[axis][first]] for axis in ("probe", "activation", "initializer"))
            for first in firsts
        )
    ]
    kinds = sorted(set(loads))
    code = {load: number for number, load in enumerate(kinds)}

    def cost(probe: Any, width: str, depth: int, load: tuple[Making, float]) -> tuple[float, ...]:
        widths = hidden_widths(width, depth)
        flops = forward_cost(widths, probe).flops + backward_cost(widths, probe).flops
        return flops, cell_memory(widths, probe, *load, sources), result_memory(depth)

    # Initializers and activations differ in what a cell takes only by their loads.
    loaded = Grid(
        grid.levels | {"load": kinds},
        grid.codes | {"load": np.array([code[load] for load in loads], np.int64)[of_point]},
    )
    flops, memories, results = _of_kinds(loaded, ("probe", "width", "depth", "load"), cost)
    return {"flops": flops, "memory": memories, "results": results, "seconds": _cell_seconds(grid)}


def _cell_seconds(grid: Grid) -> Floats:
    """The seconds that each cell adds to its network."""

    def cost(probe: Any, width: str, depth: int) -> tuple[float, ...]:
        widths = hidden_widths(width, depth)
        return forward_cost(widths, probe).seconds, backward_cost(widths, probe).seconds

    ahead, back = _of_kinds(grid, ("probe", "width", "depth"), cost)
    constant = np.array([is_constant(width) for width in grid.levels["width"]])
    # Of cells that differ in depth alone, the deepest one's forward pass serves all.
    deepest = grid.ends(_CELL_AXES[:-1]) | ~constant[grid.codes["width"]]
    seconds: Floats = back + np.where(deepest, ahead, 0.0)
    return seconds


def run_costs(grid: Grid) -> dict[str, Floats]:
    """FLOPs, memory, with that of its result, and seconds of each run."""

    def cost(task: Any, width: str, depth: int) -> tuple[float, ...]:
        widths = hidden_widths(width, depth)
        whole = training_cost(widths, task)
        return whole.flops, training_memory(widths, task), whole.seconds

    flops, memories, seconds = _of_kinds(grid, ("task", "width", "depth"), cost)
    return {"flops": flops, "memory": memories, "results": np.zeros(len(grid)), "seconds": seconds}
