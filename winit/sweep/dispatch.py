"""Blocks on their way through a cluster: handed out, looked after, tried again, and taken back."""

import math
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import distributed
import pyarrow as pa
import pyarrow.compute as pc
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from winit.errors import WinitError
from winit.network.labels import described
from winit.sweep.blame import Blame
from winit.sweep.deaths import UNSEEN, Deaths
from winit.sweep.estimates import duration
from winit.sweep.fetch import Fetch, Fetched, Pending
from winit.sweep.kinds import KINDS, AnyCell
from winit.sweep.patience import Patience
from winit.sweep.store import Part, Record
from winit.sweep.tasks import compute, packages
from winit.sweep.watch import Seen, Watch

# Tasks in flight for each worker: enough that none waits for the next, few enough to hold in memory.
_IN_FLIGHT_PER_WORKER = 3
# Results that are fetched together: enough to hide that each takes its time, few enough to hold in memory.
_FETCHED_AT_ONCE = 16
# Workers come and go; so often they are counted.
_SECONDS_BETWEEN_COUNTS = 2.0
# While nothing comes back, so often it is seen whether something is to be done.
_SECONDS_BETWEEN_TURNS = 0.5

# What a task comes to when its scheduler is gone; no cell is to blame.
_LOST = (FutureCancelledError, CommClosedError)


@dataclass
class _Task:
    """Cells that a worker computes, or will."""

    future: Pending
    cells: list[AnyCell]
    """What is not known to be finished of them."""
    alone: bool
    """Whether it has the cluster to itself."""
    since: float = field(default_factory=time.monotonic)
    finished: list[str] = field(default_factory=list)
    """The ids of the others."""
    stuck: float | None = None
    """For how many seconds it had not finished any when its worker was ended because of that."""
    certain: bool = True
    """Whether it was seen that it, and no other task, was what the worker was stuck in."""


class Dispatch:
    """Hands blocks out, a bounded number at a time, so that each cell has a result in the end.

    A block whose worker dies is tried again cell by cell, and so is one that is stuck, so that a cell that
    kills its worker, or does not return, fails alone. What is finished of a block that takes long is taken
    meanwhile.
    """

    def __init__(
        self,
        blocks: Iterator[list[AnyCell]],
        client: distributed.Client,
        patience: Patience,
        deaths: Deaths,
        remark: Callable[[str], None],
    ) -> None:
        """``remark`` is told what takes long, and "" where nothing does."""
        self._waiting = blocks
        self._client = client
        self._patience = patience
        self._deaths = deaths
        self._remark = remark
        self._again: deque[list[AnyCell]] = deque()
        self._flight: dict[str, _Task] = {}
        self._news: queue.SimpleQueue[Pending | Fetched | Seen] = queue.SimpleQueue()
        self._workers = _Workers(client)
        self._watch = Watch(client, self._news)
        self._fetch = Fetch(client, self._news)
        self._looked = -math.inf
        self._blame = Blame()
        self._ended: set[str] = set()
        """Workers that were ended for one of their tasks; the others are not to blame."""

    def results(self) -> Iterator[Part]:
        """What cells came to, as they finish. Raises what shows that the cluster is lost."""
        yield from self._hand_out()
        while self._flight:
            yield from self._turn(*self._take())
            self._look()
            yield from self._hand_out()

    def _turn(
        self, finished: Sequence[Pending], fetched: Sequence[Fetched], seen: Sequence[Seen]
    ) -> Iterator[Part]:
        """Deal with the news. A worker that is to be replaced waits until nobody refers to its results."""
        # First the workers have new work, then what they have done is fetched.
        yield from self._hand_out(len(finished))
        for future, outcome in (*fetched, *self._fetch.together(finished)):
            yield from self._settle(self._flight.pop(str(future.key)), outcome)
        for each in seen:
            yield from self._consider(each)

    # What goes out

    def _hand_out(self, arrived: int = 0) -> Iterator[Part]:
        """Submit what there is room for, where ``arrived`` of the tasks in flight are about to be settled.

        Gives the failures of cells that are given up.
        """
        room = _IN_FLIGHT_PER_WORKER * self._workers.count() - len(self._flight) + arrived
        while room > 0 and not self._one_alone:
            cells = self._next()
            if cells is None:
                break
            if self._blame:
                yield from self._given_up(cells)
                cells = self._sifted(cells)
            if cells:
                self._submit(cells)
                room -= 1
        while not self._flight and (self._blame.suspects or self._release(self._blame.judged())):
            # A worker takes down all that it holds, the cell that waited behind the deadly one too: so each
            # suspect is tried again with the whole cluster to itself.
            if not self._blame.suspects:
                yield from self._hand_out()
                return
            suspect = [self._blame.suspects.popleft()]
            if self._blame.given_up(suspect[0]) is None:
                self._submit(suspect, alone=True)
            else:
                yield from self._given_up(suspect)

    def _sifted(self, cells: list[AnyCell]) -> list[AnyCell]:
        """Those of ``cells`` that are to be computed now, together."""
        cells = self._blame.put_off([cell for cell in cells if self._blame.given_up(cell) is None])
        slow = [cell for cell in cells if self._blame.is_slow(cell)]
        if len(cells) < 2 or not slow:
            return cells
        self._again.extendleft([cell] for cell in reversed(slow))
        return [cell for cell in cells if not self._blame.is_slow(cell)]

    @property
    def _one_alone(self) -> bool:
        """Whether what is in flight has the cluster to itself."""
        return len(self._flight) == 1 and any(task.alone for task in self._flight.values())

    def _next(self) -> list[AnyCell] | None:
        """The cells to submit next; None where there are none now."""
        if self._again:
            return self._again.popleft()
        return None if self._blame.enough_put_off else next(self._waiting, None)

    def _release(self, put_off: Iterable[list[AnyCell]]) -> bool:
        """Try those again. Whether there are any."""
        count = len(self._again)
        self._again.extend(put_off)
        return len(self._again) > count

    def _given_up(self, cells: Iterable[AnyCell]) -> Iterator[Part]:
        """The failures of those that are given up."""
        reasons = {cell.id: reason for cell in cells if (reason := self._blame.given_up(cell)) is not None}
        if reasons:
            yield _failures(cells, reasons)

    def _submit(self, cells: list[AnyCell], *, alone: bool = False) -> None:
        name = f"compute-{uuid.uuid4()}"
        future = self._client.submit(compute, cells, name, key=name, pure=False)
        self._flight[name] = _Task(future, cells, alone)
        future.add_done_callback(self._news.put)

    # What comes back

    def _take(self) -> tuple[list[Pending], list[Fetched], list[Seen]]:
        """What has finished meanwhile, at most ``_FETCHED_AT_ONCE``, what came late, and what was seen."""
        finished: list[Pending] = []
        fetched: list[Fetched] = []
        seen: list[Seen] = []
        try:
            news = self._news.get(timeout=_SECONDS_BETWEEN_TURNS)
            while True:
                if isinstance(news, Seen):
                    seen.append(news)
                elif isinstance(news, Fetched):
                    fetched.append(news)
                else:
                    finished.append(news)
                if len(finished) == _FETCHED_AT_ONCE:
                    break
                news = self._news.get_nowait()
        except queue.Empty:
            if self._client.status == "closed":
                raise CommClosedError("the client was closed") from None
        return finished, fetched, seen

    def _settle(self, task: _Task, outcome: Part | Exception) -> Iterator[Part]:
        """What a task that is over gives, and what is to be done because of it."""
        if isinstance(outcome, _LOST):
            raise outcome
        if isinstance(outcome, Part):
            yield self._new(task, outcome)
        elif not task.cells:
            return  # all that it was to do was seen before
        elif task.stuck is not None:
            yield from self._was_stuck(task, task.stuck)
        elif isinstance(outcome, KilledWorker) and outcome.last_worker.address in self._ended:
            if task.alone:
                self._blame.suspects.appendleft(task.cells[0])
            else:
                self._again.append(task.cells)
        elif len(task.cells) > 1:
            self._again.extendleft([cell] for cell in reversed(task.cells))
        elif isinstance(outcome, KilledWorker):
            yield from self._died(task, outcome)
        else:
            yield _failures(task.cells, {task.cells[0].id: described(outcome)})

    def _new(self, task: _Task, part: Part) -> Part:
        """What is new in ``part``. Raises WinitError where a worker computes otherwise than this process."""
        part = _alike(part, task.cells[0]) if task.cells else part
        if task.finished:
            part = _without(part, task.finished)
        ids = {record.cell_id for record in part.records}
        task.finished += ids
        returned = [cell for cell in task.cells if cell.id in ids]
        task.cells = [cell for cell in task.cells if cell.id not in ids]
        self._release(self._blame.returned(returned))
        return part

    def _was_stuck(self, task: _Task, seconds: float) -> Iterator[Part]:
        """The cells of ``task`` were computed together, and none of them came back for so long."""
        cells = task.cells
        if len(cells) > 1:
            self._blame.slow(cells)
            self._again.extendleft([cell] for cell in reversed(cells))
        elif self._blame.given_up(cells[0]) is not None:
            yield from self._given_up(cells)
        elif not (task.certain or task.alone):
            self._blame.suspects.append(cells[0])
        else:
            yield self._failed(cells[0], f"it took longer than {duration(seconds)} (sweep.cell_seconds)")

    def _died(self, task: _Task, outcome: KilledWorker) -> Iterator[Part]:
        """Workers died that computed one cell, or had it waiting."""
        (cell,) = task.cells
        end = self._deaths.end_of(outcome.last_worker) if task.alone else UNSEEN
        workers = int(outcome.allowed_failures) + 1
        if self._blame.died(cell, workers, alone=task.alone, crashed=end.crashed):
            yield self._failed(cell, f"its worker died again and again; the last one {end.words}")
        elif not self._blame.is_suspect(cell):
            self._again.appendleft([cell])

    def _failed(self, cell: AnyCell, reason: str) -> Part:
        self._blame.failed(cell, reason)
        return _failures([cell], {cell.id: reason})

    # What takes long

    def _look(self) -> None:
        """Begin to look at the tasks that take long, now and then."""
        now, pause = time.monotonic(), self._patience.between_looks
        if now - self._looked < pause:
            return
        self._looked = now
        late = {name: len(task.finished) for name, task in self._flight.items() if now - task.since > pause}
        if late:
            self._watch.look(late)
        else:
            self._remark("")

    def _consider(self, seen: Seen) -> Iterator[Part]:
        """Take what is finished of the tasks that were seen, and end the workers that are stuck."""
        there = {name: sight for name, sight in seen.tasks.items() if name in self._flight}
        for name, sight in there.items():
            task = self._flight[name]
            if sight.finished.records:
                yield self._new(task, sight.finished)
            if task.cells and sight.silent > (limit := self._limit(task)):
                self._end(seen.workers[name], task, limit)
        for address, (seconds, names) in seen.mute.items():
            tasks = [self._flight[name] for name in names if name in self._flight]
            limit = max(map(self._limit, tasks), default=math.inf)
            if seconds > limit:
                # In which of its tasks it is stuck cannot be seen; workers begin with the first.
                first = min(tasks, key=lambda task: task.since)
                first.certain = len(names) == 1
                self._end(address, first, limit)
        running = [(sight.silent, self._flight[name].cells) for name, sight in there.items()]
        # Of one that has finished all, only the end is not known yet.
        self._say([(silent, cells) for silent, cells in running if cells])

    def _limit(self, task: _Task) -> float:
        given_up = all(self._blame.given_up(cell) is not None for cell in task.cells)
        return 0.0 if given_up else self._patience.limit(task.cells)

    def _end(self, address: str, task: _Task, limit: float) -> None:
        task.stuck = limit
        self._ended.add(address)
        self._watch.end(address)

    def _say(self, running: Sequence[tuple[float, list[AnyCell]]]) -> None:
        silent, cells = max(running, key=lambda each: each[0], default=(0.0, []))
        if silent < self._patience.between_looks:
            self._remark("")
            return
        names = (
            cells[0].initializer,
            cells[0].activation,
            f"depth {cells[0].depth}",
            f"width {cells[0].width}",
        )
        others = f" or one of {len(cells) - 1} beside it" if len(cells) > 1 else f", seed {cells[0].seed}"
        self._remark(f"longest running: {', '.join(names)}{others}, for {duration(silent)}")


def _alike(part: Part, cell: AnyCell) -> Part:
    """``part``, from a worker that computes as this process would. Raises WinitError otherwise.

    Workers were looked at when they were there at the start; others may come later.
    """
    there, here = (part.version, part.packages), (KINDS[type(cell)].version, packages())
    if there != here:
        raise WinitError(
            f"a worker has version {' of '.join(there)}, here is {' of '.join(here)}: numbers would depend on"
            " who computes them; install the same versions"
        )
    return part


def _without(part: Part, ids: Sequence[str]) -> Part:
    """``part`` less the cells that have these ids."""
    rows = part.rows.filter(pc.invert(pc.is_in(part.rows["cell_id"], pa.array(ids, pa.string()))))
    there = set(ids)
    records = [record for record in part.records if record.cell_id not in there]
    return Part(rows, records, part.version, part.packages)


def _failures(cells: Iterable[AnyCell], reasons: dict[str, str]) -> Part:
    """What there is of cells that came to nothing: why, by their ids."""
    kind = KINDS[type(next(iter(cells)))]
    records = [Record(cell, 0.0, reason) for cell, reason in reasons.items()]
    return Part(kind.schema.empty_table(), records, kind.version, packages())


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
