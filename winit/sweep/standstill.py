"""Workers that take no more work: they are seen, said to be so, and replaced, and their cells are given back.

A worker is paused by itself, when its memory is too full for the next cell (``machine.working``), or by Dask,
on a cluster whose settings are not ours. A paused worker does nothing for as long as its memory stays full,
which may be for ever.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import distributed
from dask.utils import format_bytes
from distributed.core import Status

from winit.errors import WinitError
from winit.sweep.loop import in_time

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_TO_ANSWER = 5.0
# A large cluster is looked at more rarely: what it says about each worker is some kilobytes.
_WORKERS_A_SECOND = 50
# A worker is given so long. One that Dask paused it resumes within a tenth of a second, once it has memory.
_SECONDS_PAUSED, _SECONDS_IDLE = 3.0, 60.0
_SECONDS_UNTIL_GIVEN_UP = 60.0
_SECONDS_BETWEEN_TRIES = 0.2

_LEAVING, _BUSY, _ALONE = "leaving", "busy", "alone"


class Standstill:
    """Looks for workers that stand still, and replaces them."""

    def __init__(self, client: distributed.Client, say: Callable[[str], None] | None = None) -> None:
        self._client = client
        self._say = say or _say
        self._since: dict[tuple[str, str], float] = {}
        self._said: set[str] = set()
        self._stuck_since: float | None = None

    def look(self) -> float:
        """Replace the workers that stand still. Returns in how many seconds to look again.

        Raises WinitError where all workers do, and nobody would start others.
        """
        workers = self._client.scheduler_info(n_workers=-1).get("workers", {})
        states = {address: why for address, worker in workers.items() if (why := _why(worker))}
        now = time.monotonic()
        self._since = {state: self._since.get(state, now) for state in states.items()}
        stuck = set()
        for (address, why), since in self._since.items():
            patience = _SECONDS_PAUSED if why == Status.paused.name else _SECONDS_IDLE
            if now - since >= patience and self._replace(address, workers[address], why) == _ALONE:
                stuck.add(address)
        self._give_up(workers, stuck, now)
        return max(_SECONDS_BETWEEN_LOOKS, len(workers) / _WORKERS_A_SECOND)

    def _replace(self, address: str, worker: dict[str, Any], why: str) -> str:
        try:
            found = self._client.sync(self._ask, address)
        except OSError:  # it is away
            return _BUSY
        answer = None if found is None else found.get(address)
        if answer in (_LEAVING, _ALONE) and address not in self._said:
            self._said.add(address)
            self._say(_said_of(address, worker, why, replaced=answer == _LEAVING))
        return answer if isinstance(answer, str) else _BUSY

    async def _ask(self, address: str) -> dict[str, Any] | None:
        """What a worker says when it is to leave; None where it says nothing."""
        asking = self._client.run(leave, workers=[address], on_error="return")
        return await in_time(asking, _SECONDS_TO_ANSWER)

    def _give_up(self, workers: dict[str, Any], stuck: set[str], now: float) -> None:
        if not workers or len(stuck) < len(workers):
            self._stuck_since = None
            return
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since >= _SECONDS_UNTIL_GIVEN_UP:
            raise WinitError(
                "no worker takes work, and none has a nanny that would start it again; start workers with a"
                " nanny or with more memory, and the same command goes on"
            )


def _why(worker: dict[str, Any]) -> str | None:
    """What keeps a worker from working, as far as its scheduler knows."""
    if worker["status"] == Status.paused.name:
        return Status.paused.name
    tasks = worker["metrics"].get("task_counts", {})
    return "idle" if tasks.get("ready") and not tasks.get("executing") else None


def _said_of(address: str, worker: dict[str, Any], why: str, *, replaced: bool) -> str:
    limit = worker["memory_limit"]
    memory = format_bytes(worker["metrics"].get("memory", 0)) + (
        f" of {format_bytes(limit)}" if limit else ""
    )
    state = f"takes no more work, with {memory} of its memory in use"
    if why != Status.paused.name:
        state = f"has work and does nothing, for {_SECONDS_IDLE:g} s"
    mend = "another takes its place, and its cells are given back"
    if not replaced:
        mend = "it has no nanny that would start another; end it, and start it with a nanny or more memory"
    return f"the worker {address} {state}; {mend}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


async def leave(dask_worker: Any) -> str:
    """Have a worker that does nothing leave its cluster, and its nanny start another.

    Dask gives ``dask_worker``. Returns at once what becomes of it.
    """
    if dask_worker.state.executing:
        return _BUSY
    if not dask_worker.nanny:
        return _ALONE
    if not getattr(dask_worker, "leaves", False):
        dask_worker.leaves = True
        dask_worker.loop.add_callback(_leave, dask_worker)
    return _LEAVING


async def _leave(worker: Any) -> None:
    """Retire first: what leaves so is not blamed on the tasks that it held, as a death would be."""
    if worker.status == Status.running:
        worker.status = Status.paused
    retired: dict[str, Any] = {}
    while worker.address not in retired:
        if worker.status not in (Status.paused, Status.running, Status.closing_gracefully):
            return
        # Results that nobody has fetched yet are handed to others, or waited for where there are none.
        retired = await worker.scheduler.retire_workers(
            workers=[worker.address],
            close_workers=False,
            remove=True,
            stimulus_id=f"stands-still-{time.time()}",
        )
        if worker.address not in retired:
            await asyncio.sleep(_SECONDS_BETWEEN_TRIES)
    await worker.close(nanny=False, reason="stands-still")
