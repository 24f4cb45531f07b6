"""How far a sweep has come: what the store says of the plan."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from winit.sweep.kinds import kind_of, store_of
from winit.sweep.layout import Results
from winit.sweep.schema import RUN_SORT_KEYS, SORT_KEYS, TRAINED_KEYS


def unfinished(plan: pa.Table, index: pa.Table) -> pa.Table:
    """The rows of ``plan`` whose cells have not finished; those that failed are among them."""
    return missing(plan, index.filter(pc.equal(index["status"], "ok")))


def missing(plan: pa.Table, index: pa.Table) -> pa.Table:
    """The rows of ``plan`` of whose cells ``index`` says nothing."""
    return plan.filter(pc.invert(pc.is_in(plan["cell_id"], index["cell_id"].combine_chunks())))


@dataclass(frozen=True)
class Status:
    """How far a sweep has come. ``failed`` has a name and an error for each cell."""

    unit: str
    """What its cells are called."""
    done: int
    missing: pa.Table
    """the rows of the plan of which the store says nothing"""
    failed: list[tuple[str, str]]


def status_of(results: Results, plan: pa.Table) -> Status:
    """Count the planned cells of a sweep by what the store says of them."""
    index = store_of(results, plan).index()
    left = missing(plan, index)
    failed = plan.join(index.filter(pc.equal(index["status"], "failed")), "cell_id", join_type="inner")
    order = RUN_SORT_KEYS if "learning_rate" in plan.schema.names else SORT_KEYS
    rows = sorted(failed.to_pylist(), key=lambda row: [row[key] for key in order])
    return Status(
        unit=kind_of(plan).unit,
        done=plan.num_rows - left.num_rows - failed.num_rows,
        missing=left,
        failed=[(_name(row), row["error"]) for row in rows],
    )


def _name(row: dict[str, object]) -> str:
    return ", ".join(f"{key} {row[key]}" for key in TRAINED_KEYS if key in row)
