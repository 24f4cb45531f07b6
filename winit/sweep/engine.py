"""The sweep: which cells are missing, fanned out over a cluster, written to the store as they finish."""

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import distributed
import pyarrow as pa
import pyarrow.compute as pc
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from winit.errors import WinitError
from winit.sweep.kinds import KINDS, AnyCell, cells_of
from winit.sweep.progress import Progress
from winit.sweep.store import Part, Record, Store
from winit.sweep.tasks import compute, packages

# Tasks in flight for each worker: enough that none waits for the next, few enough to hold in memory.
_IN_FLIGHT_PER_WORKER = 3
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


def unfinished(plan: pa.Table, index: pa.Table) -> pa.Table:
    """The rows of ``plan`` whose cells have not finished; those that failed are among them."""
    return missing(plan, index.filter(pc.equal(index["status"], "ok")))


def missing(plan: pa.Table, index: pa.Table) -> pa.Table:
    """The rows of ``plan`` of whose cells ``index`` says nothing."""
    return plan.filter(pc.invert(pc.is_in(plan["cell_id"], index["cell_id"].combine_chunks())))


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
    for future in running:
        cells = cells_of_task.pop(future)
        try:
            result = future.result()
        except FutureCancelledError:
            raise WinitError("the cluster is gone; what is finished is kept") from None
        except Exception as error:  # noqa: BLE001 - whatever a task or its worker came to
            if len(cells) > 1:
                running.update(submit([cell] for cell in cells))
            elif isinstance(error, KilledWorker):
                suspects += cells
            else:
                yield _failure(cells[0], error)
        else:
            yield result
        running.update(submit(itertools.islice(waiting, 1)))
    # A worker takes down all that it holds, the cell that waited behind the deadly one too: so each
    # suspect is tried again with the whole cluster to itself.
    for cell in suspects:
        yield _alone(cell, client)


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
    """Gathers results and writes them as a part every ``part_seconds``, and on exit.

    A thread keeps the time, so that finished work reaches the disk while the next is long in coming.
    What goes wrong there is raised by the next ``add``, or on exit.
    """

    def __init__(self, store: Store, part_seconds: float) -> None:
        self._store = store
        self._part_seconds = part_seconds
        self._results: list[Part] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._flush_in_time, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self.flush()

    def add(self, result: Part) -> None:
        """Take a result. Raises OSError where an earlier one could not be written."""
        if self._error is not None:
            raise self._error
        with self._lock:
            self._results.append(result)

    def flush(self) -> None:
        """Write what there is."""
        with self._lock:
            if not self._results:
                return
            rows = pa.concat_tables([result.rows for result in self._results])
            records = [record for result in self._results for record in result.records]
            first = self._results[0]
            self._store.write(Part(rows.unify_dictionaries(), records, first.version, first.packages))
            self._results.clear()

    def _flush_in_time(self) -> None:
        while not self._stopped.wait(self._part_seconds):
            try:
                self.flush()
            except OSError as error:
                self._error = error
                return
