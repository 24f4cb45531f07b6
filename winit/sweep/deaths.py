"""How workers ended. Whoever looks after a worker's process knows: its nanny, which tells all who listen."""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import distributed
from distributed.comm.addressing import get_address_host
from distributed.core import Status
from distributed.diagnostics.plugin import NannyPlugin
from distributed.scheduler import WorkerState

_TOPIC = "winit-worker-ended"
_OF_MEMORY = "worker-restart-memory"  # what Dask says before it ends a worker that takes too much
# News of an end take another way than that a task is lost by it.
_SECONDS_FOR_NEWS = 5.0
_SECONDS_UNTIL_PROCESS = 0.01
# Signals that a process brings upon itself.
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS")
_HINTS = {"SIGKILL": ", as one out of memory is by the system"}


@dataclass(frozen=True)
class End:
    """How a worker ended."""

    words: str
    """Behind "the worker"."""
    crashed: bool = False
    """Whether what it ran ended it, and nobody else."""


UNSEEN = End("ended in a way that nobody saw")


class _Obituary(NannyPlugin):
    """Has a nanny tell how its worker's process ended."""

    name = "winit-obituary"
    idempotent = True  # on a cluster of the user's own it stays, as other sweeps may listen too

    def setup(self, nanny: Any) -> None:
        """Listen to the end of the process, which Dask keeps to itself."""
        if nanny.status in (Status.closing, Status.closed, Status.failed):
            return
        if nanny.process is None:  # a nanny is set up before it has a process, which it keeps from then on
            asyncio.get_running_loop().call_later(_SECONDS_UNTIL_PROCESS, self.setup, nanny)
            return
        mark_stopped: Callable[[], None] = nanny.process.mark_stopped

        def told() -> None:
            process = nanny.process.process
            if process is not None and nanny.status == Status.running:  # else it is meant to end
                news = {"nanny": nanny.address, "pid": process.pid, "code": process.exitcode}
                nanny.log_event(_TOPIC, news)
            mark_stopped()

        nanny.process.mark_stopped = told


class Deaths:
    """A context that hears how workers end."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        # By host and process: a nanny learns a worker's address only some time after the scheduler, so that
        # of a worker that ends at once it still has the address of the one before.
        self._codes: dict[tuple[str, int], int] = {}
        self._greedy: set[tuple[str, int]] = set()
        self._heard = threading.Condition()

    def __enter__(self) -> Self:
        self._client.subscribe_topic(_TOPIC, self._hear)
        self._client.subscribe_topic(_OF_MEMORY, self._hear)
        self._client.register_plugin(_Obituary())
        return self

    def __exit__(self, *_: object) -> None:
        # Where the cluster is lost there is nobody to be told.
        with suppress(OSError, ValueError, TimeoutError):
            self._client.unsubscribe_topic(_TOPIC)
            self._client.unsubscribe_topic(_OF_MEMORY)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        _, told = event
        with self._heard:
            if "code" in told:
                self._codes[get_address_host(told["nanny"]), told["pid"]] = told["code"]
            else:
                self._greedy.add((get_address_host(told["worker"]), told["pid"]))
            self._heard.notify_all()

    def end_of(self, worker: WorkerState) -> End:
        """How a worker ended."""
        process = get_address_host(worker.address), worker.pid
        with self._heard:
            if not self._heard.wait_for(lambda: process in self._codes, timeout=_SECONDS_FOR_NEWS):
                return UNSEEN
            if process in self._greedy:
                return End("was ended by Dask, as it took more memory than a worker has")
            return _end(self._codes[process])


def _end(code: int) -> End:
    """What an exit code of Python's ``multiprocessing`` says: that of the process, or a signal, negative."""
    if code >= 0:
        return End(f"exited with code {code}", crashed=True)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return End(f"was ended by signal {-code}")
    return End(f"was ended by signal {-code} ({name}){_HINTS.get(name, '')}", crashed=name in _CRASHES)
