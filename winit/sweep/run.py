"""A shard from its plan to its manifest, and how far a run has come."""

import json
import signal
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from winit.errors import WinitError
from winit.sweep.cluster import open_cluster
from winit.sweep.config import Config
from winit.sweep.engine import Outcome, missing, sweep, unfinished
from winit.sweep.files import replacing
from winit.sweep.kinds import kind_of
from winit.sweep.layout import Results
from winit.sweep.plan import shards_of
from winit.sweep.progress import Progress
from winit.sweep.schema import TRAINED_KEYS
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


@dataclass(frozen=True)
class Status:
    """How far a sweep has come. ``failed`` has a name and an error for each cell."""

    unit: str
    """What its cells are called."""
    done: int
    missing: pa.Table
    """the rows of the plan of which the store says nothing"""
    failed: list[tuple[str, str]]


def status_of(results: Results) -> Status:
    """Count the planned cells of a sweep by what the store says of them."""
    plan = results.read_plan()
    index = Store(results.parts).index()
    left = missing(plan, index)
    failed = plan.join(index.filter(pc.equal(index["status"], "failed")), "cell_id", join_type="inner")
    return Status(
        unit=kind_of(plan).unit,
        done=plan.num_rows - left.num_rows - failed.num_rows,
        missing=left,
        failed=sorted((_name(row), row["error"]) for row in failed.to_pylist()),
    )


def _name(row: dict[str, object]) -> str:
    return ", ".join(f"{key} {row[key]}" for key in TRAINED_KEYS if key in row)
