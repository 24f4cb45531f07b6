"""How workers ended. Whoever looks after a worker's process knows: its nanny, which tells all who listen."""

import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import distributed
from distributed.core import Status
from distributed.diagnostics.plugin import NannyPlugin

_TOPIC = "winit-worker-ended"
_OF_MEMORY = "worker-restart-memory"  # what Dask says before it ends a worker that takes too much
# News of an end take another way than that a task is lost by it.
_SECONDS_FOR_NEWS = 5.0
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
        restart: Callable[[int], Awaitable[None]] = nanny._on_worker_exit  # noqa: SLF001

        async def told(code: int) -> None:
            if nanny.status == Status.running:  # else it is meant to end
                nanny.log_event(_TOPIC, {"worker": nanny.worker_address, "code": code})
            await restart(code)

        nanny._on_worker_exit = told  # noqa: SLF001


class Deaths:
    """A context that hears how workers end."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        self._codes: dict[str, int] = {}
        self._greedy: set[str] = set()
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
                self._codes[told["worker"]] = told["code"]
            else:
                self._greedy.add(told["worker"])
            self._heard.notify_all()

    def end_of(self, worker: str) -> End:
        """How the worker at an address ended."""
        with self._heard:
            if not self._heard.wait_for(lambda: worker in self._codes, timeout=_SECONDS_FOR_NEWS):
                return UNSEEN
            if worker in self._greedy:
                return End("was ended by Dask, as it took more memory than a worker has")
            return _end(self._codes[worker])


def _end(code: int) -> End:
    """What an exit code of Python's ``multiprocessing`` says: that of the process, or a signal, negative."""
    if code >= 0:
        return End(f"exited with code {code}", crashed=True)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return End(f"was ended by signal {-code}")
    return End(f"was ended by signal {-code} ({name}){_HINTS.get(name, '')}", crashed=name in _CRASHES)
