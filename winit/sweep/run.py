"""A shard from its plan to its manifest."""

import json
import signal
from dataclasses import asdict

import pyarrow.compute as pc

from winit.errors import WinitError
from winit.sweep.cluster import open_cluster
from winit.sweep.config import Config
from winit.sweep.engine import Outcome, sweep
from winit.sweep.files import replacing
from winit.sweep.kinds import kind_of
from winit.sweep.layout import Results
from winit.sweep.plan import shards_of
from winit.sweep.progress import Progress
from winit.sweep.status import unfinished
from winit.sweep.store import Store


def sweep_shard(config: Config, results: Results, number: int, count: int, workers: int) -> Outcome:
    """Compute the missing cells of shard ``number`` of ``count``, and write its manifest.

    ``results`` is the folder of a sweep: that of the results, or of the training sweep in it.

    Opens a cluster only if something is missing. Failed cells are in the outcome and in the manifest.
    Raises WinitError where the plan is of another number of shards.
    """
    plan = results.read_plan()
    planned = shards_of(plan)
    if planned != count:
        raise WinitError(
            f"the plan has {planned} shards, not {count}; run `winit plan --write --shards {count}`"
        )
    cells = plan.filter(pc.equal(plan["shard"], number))
    kind, store = kind_of(plan), Store(results.parts)
    todo = unfinished(cells, store.index())
    outcome = Outcome(cells.num_rows, cells.num_rows - todo.num_rows)
    if todo.num_rows:
        # A batch system ends a job with SIGTERM: leave by the same way as on Ctrl-C, parts written.
        signal.signal(signal.SIGTERM, _terminated)
        with (
            open_cluster(config.cluster, min(workers, todo.num_rows)) as client,
            Progress(todo.num_rows, work=kind.work, unit=kind.unit) as progress,
        ):
            sweep(todo, client, store, config.sweep.part_seconds, outcome, progress)
    with replacing(results.shard(number, count)) as manifest:
        manifest.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")
    return outcome


class TerminatedError(WinitError):
    """SIGTERM came."""

    exit_code = 128 + signal.SIGTERM


def _terminated(*_: object) -> None:
    raise TerminatedError("terminated; what is finished is kept, the same command goes on")
