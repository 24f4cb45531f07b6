"""A shard from its plan to its manifest."""

import json
from dataclasses import asdict

import distributed
import pyarrow as pa
import pyarrow.compute as pc

from winit.errors import WinitError
from winit.sweep.belonging import planned
from winit.sweep.cluster import least_memory, open_cluster
from winit.sweep.config import Config
from winit.sweep.dispatch import number_of_workers
from winit.sweep.engine import Outcome, sweep
from winit.sweep.files import remove_forgotten, replacing
from winit.sweep.kinds import kind_of, store_of
from winit.sweep.layout import Results
from winit.sweep.locks import exclusive
from winit.sweep.patience import Patience
from winit.sweep.plan import check_memory, shards_of
from winit.sweep.progress import Progress
from winit.sweep.settings import Room
from winit.sweep.status import unfinished


def sweep_shard(config: Config, results: Results, number: int, count: int, threads: int) -> Outcome:
    """Compute the missing cells of shard ``number`` of ``count``, and write its manifest.

    ``results`` is the folder of a sweep: that of the results, or of the training sweep in it. ``threads`` is
    how many workers a cluster on this machine has. While another process sweeps the same shard, waits.

    Opens a cluster only if something is missing. Failed cells are in the outcome and in the manifest.
    Raises WinitError where the plan is of another number of shards, or not of ``config``.
    """
    plan = planned(config, results)
    shards = shards_of(plan)
    if shards != count:
        raise WinitError(
            f"the plan has {shards} shards, not {count}; run `winit plan --write --shards {count}`"
        )
    cells = plan.filter(pc.equal(plan["shard"], number))
    kind, store = kind_of(plan), store_of(results, plan)
    with exclusive(results.lock(f"shard-{number}-of-{count}"), "sweeps this shard"):
        for folder in (results.folder, results.parts):
            remove_forgotten(folder)
        todo = unfinished(cells, store.index())
        outcome = Outcome(cells.num_rows, cells.num_rows - todo.num_rows)
        if todo.num_rows:
            workers = min(config.cluster.workers(threads) or todo.num_rows, todo.num_rows)
            with (
                Progress(
                    todo.num_rows, work=kind.work, unit=kind.unit, note="waiting for workers"
                ) as progress,
                open_cluster(config.cluster, workers, results.folder) as client,
                progress.counting(lambda: number_of_workers(client)),
            ):
                _check_memory(todo, client)
                sweep(todo, client, store, Patience.of(config), outcome, progress)
        with replacing(results.shard(number, count)) as manifest:
            manifest.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")
    return outcome


def _check_memory(todo: pa.Table, client: distributed.Client) -> None:
    """The plan looked at what it knew; here the workers are seen."""
    memory = least_memory(client)
    if memory is not None:
        check_memory(todo, Room(memory, 1, "a worker's"))
