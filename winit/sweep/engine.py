"""The sweep: which cells are missing, fanned out over a cluster, written to the store as they finish."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import distributed
import pyarrow as pa
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from winit.errors import WinitError
from winit.sweep.kinds import KINDS, AnyCell, cells_of
from winit.sweep.progress import Progress
from winit.sweep.store import Part, Record, Store
from winit.sweep.tasks import compute, packages

# Tasks in flight for each worker: enough that none waits for the next, few enough to hold in memory.
_IN_FLIGHT_PER_WORKER = 3
# Results that are fetched together: enough to hide that each takes its time, few enough to hold in memory.
_FETCHED_AT_ONCE = 16
# Of rows in memory; on the disk they are a fifth to a third of it. As much again may be being written.
PART_BYTES = 64 * 2**20
# Of the time within which results are to be on the disk: the rest is for writing them.
_GATHERING = 0.8
# A worker may be killed for reasons of its own; a cell during which it happens so often is the reason.
_ATTEMPTS_ALONE = 3

Pending: TypeAlias = "distributed.Future[Part]"


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
    part_seconds: float,
    outcome: Outcome,
    progress: Progress,
) -> None:
    """Compute the cells in ``todo`` (rows of a plan), and add what happens to ``outcome``.

    A block whose worker dies is tried again cell by cell, so that a cell that kills its worker fails
    alone. Raises OSError where the store cannot be written; what was written before stays.
    """
    started = time.monotonic()
    with Writer(store, part_seconds) as writer:
        for result in _results(todo, client):
            writer.add(result)
            failed = [record for record in result.records if record.error is not None]
            outcome.failed += failed
            outcome.computed += len(result.records) - len(failed)
            progress.advance(len(result.records), failed=len(failed))
    outcome.seconds = time.monotonic() - started


def _results(todo: pa.Table, client: distributed.Client) -> Iterator[Part]:
    """The results of every block, as they finish, with a bounded number in flight."""
    waiting = blocks(todo)
    workers = max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)
    cells_of_task: dict[Pending, list[AnyCell]] = {}

    def submit(some: Iterable[list[AnyCell]]) -> list[Pending]:
        futures = []
        for cells in some:
            future = client.submit(compute, cells, pure=False)
            cells_of_task[future] = cells
            futures.append(future)
        return futures

    suspects: list[AnyCell] = []
    running = distributed.as_completed(
        submit(itertools.islice(waiting, _IN_FLIGHT_PER_WORKER * workers)), loop=client.loop
    )
    for finished in _batches(running):
        # First the workers have new work, then what they have done is fetched.
        running.update(submit(itertools.islice(waiting, len(finished))))
        for future, outcome in zip(finished, client.sync(_outcomes, finished), strict=True):
            cells = cells_of_task.pop(future)
            if isinstance(outcome, FutureCancelledError):
                raise WinitError("the cluster is gone; what is finished is kept")
            if isinstance(outcome, Part):
                yield outcome
            elif len(cells) > 1:
                running.update(submit([cell] for cell in cells))
            elif isinstance(outcome, KilledWorker):
                suspects += cells
            else:
                yield _failure(cells[0], outcome)
    # A worker takes down all that it holds, the cell that waited behind the deadly one too: so each
    # suspect is tried again with the whole cluster to itself.
    for cell in suspects:
        yield _alone(cell, client)


def _batches(running: distributed.as_completed) -> Iterator[list[Pending]]:
    """What has finished meanwhile, at most ``_FETCHED_AT_ONCE`` at a time."""
    for finished in running.batches():
        for start in range(0, len(finished), _FETCHED_AT_ONCE):
            yield finished[start : start + _FETCHED_AT_ONCE]


async def _outcomes(finished: Iterable[Pending]) -> list[Part | Exception]:
    """What tasks came to, fetched together: one after the other, each would wait for the one before."""

    async def outcome(future: Pending) -> Part | Exception:
        try:
            return await future
        except Exception as error:  # noqa: BLE001 - whatever a task or its worker came to
            return error

    return await asyncio.gather(*map(outcome, finished))


def _alone(cell: AnyCell, client: distributed.Client) -> Part:
    for _ in range(_ATTEMPTS_ALONE):
        try:
            return client.submit(compute, [cell], pure=False).result()
        except KilledWorker as error:
            last = error
    return _failure(cell, last)


def _failure(cell: AnyCell, error: BaseException) -> Part:
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, KilledWorker):
        message = "its worker died again and again, as one out of memory does"
    kind = KINDS[type(cell)]
    return Part(kind.schema.empty_table(), [Record(cell.id, 0.0, message)], kind.version, packages())


class Writer:
    """Gathers results and writes them as parts: every ``part_seconds``, before they are too many to hold,
    and on exit.

    A thread writes, so that finished work reaches the disk while the next is long in coming, and the next
    comes while it is written. What goes wrong there is raised by the next ``add``, or on exit.
    """

    def __init__(self, store: Store, part_seconds: float) -> None:
        self._store = store
        self._part_seconds = part_seconds
        self._results: list[Part] = []
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write_in_time, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()
        self._write()

    def add(self, result: Part) -> None:
        """Take a result; wait while there are too many.

        Raises what went wrong where earlier ones could not be written, an OSError as a rule.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or self._bytes < PART_BYTES)
            if self._error is not None:
                raise self._error
            self._results.append(result)
            self._bytes += result.rows.nbytes
            self._changed.notify_all()

    def _write_in_time(self) -> None:
        while not self._stopped:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopped or self._bytes >= PART_BYTES,
                    timeout=_GATHERING * self._part_seconds,
                )
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 - it is raised where people see it
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return

    def _write(self) -> None:
        """Write what there is. Where that fails, it is still there."""
        with self._changed:
            results, size = self._results, self._bytes
            self._results, self._bytes = [], 0
            self._changed.notify_all()
        if not results:
            return
        try:
            self._store.write(_together(results))
        except Exception:
            with self._changed:
                self._results, self._bytes = results + self._results, size + self._bytes
            raise


def _together(results: Sequence[Part]) -> Part:
    rows = pa.concat_tables([result.rows for result in results]).unify_dictionaries()
    records = [record for result in results for record in result.records]
    return Part(rows, records, results[0].version, results[0].packages)
