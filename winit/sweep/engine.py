"""The sweep: which cells are missing, fanned out over a cluster, written to the store as they finish."""

import asyncio
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import distributed
import pyarrow as pa
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
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
# Workers die for reasons of their own. A cell that so many died of is tried again with the whole cluster to
# itself, and if then so many more die, it is the reason.
_DEATHS_AMONG_OTHERS, _DEATHS_ALONE = 2, 3
# Workers come and go; so often they are counted.
_SECONDS_BETWEEN_COUNTS = 2.0

# What a task comes to when its scheduler is gone; no cell is to blame.
_LOST = (FutureCancelledError, CommClosedError)

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
    workers = _Workers(client)
    cells_of_task: dict[Pending, list[AnyCell]] = {}

    def submit(some: Iterable[list[AnyCell]]) -> list[Pending]:
        futures = []
        for cells in some:
            future = client.submit(compute, cells, pure=False)
            cells_of_task[future] = cells
            futures.append(future)
        return futures

    suspects = _Suspects()
    running = distributed.as_completed(
        submit(itertools.islice(waiting, _IN_FLIGHT_PER_WORKER * workers.count())), loop=client.loop
    )
    for finished in _batches(running):
        # First the workers have new work, then what they have done is fetched.
        in_flight = len(cells_of_task) - len(finished)
        wanted = max(_IN_FLIGHT_PER_WORKER * workers.count() - in_flight, 0)
        running.update(submit(itertools.islice(waiting, wanted)))
        for future, outcome in zip(finished, client.sync(_outcomes, finished), strict=True):
            cells = cells_of_task.pop(future)
            if isinstance(outcome, _LOST):
                raise outcome
            if isinstance(outcome, Part):
                yield _alike(outcome, cells[0])
            elif len(cells) > 1 or isinstance(outcome, KilledWorker):
                running.update(submit(suspects.tried_again(cells, outcome)))
            else:
                yield _failure(cells[0], outcome)
    # A worker takes down all that it holds, the cell that waited behind the deadly one too: so each
    # suspect is tried again with the whole cluster to itself.
    for cell in suspects.cells:
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


class _Suspects:
    """Cells that workers died of, it seems."""

    def __init__(self) -> None:
        self.cells: list[AnyCell] = []
        self._deaths: Counter[str] = Counter()

    def tried_again(self, cells: list[AnyCell], outcome: Exception) -> Iterator[list[AnyCell]]:
        """What to submit after the task of ``cells`` came to ``outcome``: each alone, and not for ever."""
        if len(cells) > 1:
            yield from ([cell] for cell in cells)
            return
        (cell,) = cells
        self._deaths[cell.id] += _deaths(outcome)
        if self._deaths[cell.id] < _DEATHS_AMONG_OTHERS:
            yield cells
        else:
            self.cells.append(cell)


def _alone(cell: AnyCell, client: distributed.Client) -> Part:
    deaths = 0
    while True:
        (outcome,) = client.sync(_outcomes, [client.submit(compute, [cell], pure=False)])
        if isinstance(outcome, _LOST):
            raise outcome
        if isinstance(outcome, Part):
            return _alike(outcome, cell)
        deaths += _deaths(outcome)
        if deaths >= _DEATHS_ALONE or not isinstance(outcome, KilledWorker):
            return _failure(cell, outcome)


def _deaths(error: Exception) -> int:
    """Of workers, before the scheduler gave a task back."""
    return int(error.allowed_failures) + 1 if isinstance(error, KilledWorker) else 0


def _alike(part: Part, cell: AnyCell) -> Part:
    """``part``, from a worker that computes as this process would. Raises WinitError otherwise.

    Workers were looked at when they were there at the start; others may come later.
    """
    there, here = (part.version, part.packages), (KINDS[type(cell)].version, packages())
    if there != here:
        raise WinitError(
            f"a worker has version {' of '.join(there)}, here is {' of '.join(here)}: numbers would hang on"
            " who computes them; install the same versions"
        )
    return part


class _Workers:
    """How many workers there are, asked for now and then."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        self._count = 1
        self._counted = -math.inf

    def count(self) -> int:
        """At least one: the first task may be what starts them."""
        if time.monotonic() - self._counted > _SECONDS_BETWEEN_COUNTS:
            self._count = max(number_of_workers(self._client), 1)
            self._counted = time.monotonic()
        return self._count


def number_of_workers(client: distributed.Client) -> int:
    """How many there are now."""
    # It is empty for a client that was closed.
    return int(client.scheduler_info(n_workers=0).get("n_workers", 0))


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
