"""The sweep: which cells are missing, fanned out over a cluster, written to the store as they finish."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import distributed
import pyarrow as pa

from winit.sweep.deaths import Deaths
from winit.sweep.dispatch import Dispatch
from winit.sweep.kinds import AnyCell, cells_of
from winit.sweep.patience import Patience
from winit.sweep.progress import Progress
from winit.sweep.store import Record, Store
from winit.sweep.writer import Writer


@dataclass
class Outcome:
    """What a sweep did."""

    cells: int
    """planned"""
    present: int
    """in the store before"""
    computed: int = 0
    failed: list[Record] = field(default_factory=list)
    seconds: float = 0.0


def blocks(rows: pa.Table) -> Iterator[list[AnyCell]]:
    """The cells in the rows of a plan, block by block."""
    start = 0
    for _, block in itertools.groupby(rows["block"].to_pylist()):
        length = sum(1 for _ in block)
        yield cells_of(rows.slice(start, length))
        start += length


def sweep(
    todo: pa.Table,
    client: distributed.Client,
    store: Store,
    patience: Patience,
    outcome: Outcome,
    progress: Progress,
) -> None:
    """Compute the cells in ``todo`` (rows of a plan), and add what happens to ``outcome``.

    Raises OSError where the store cannot be written; what was written before stays.
    """
    started = time.monotonic()
    with Writer(store, patience.part) as writer, Deaths(client) as deaths:
        for result in Dispatch(blocks(todo), client, patience, deaths, progress.remark).results():
            writer.add(result)
            failed = [record for record in result.records if record.error is not None]
            outcome.failed += failed
            outcome.computed += len(result.records) - len(failed)
            progress.advance(len(result.records), failed=len(failed))
    outcome.seconds = time.monotonic() - started
