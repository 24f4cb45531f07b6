"""Tasks that take long, seen from here: how far they are, and the end of workers that are stuck in one."""

import asyncio
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import distributed

from winit.sweep.loop import begin, in_time
from winit.sweep.tasks import Sight, look

# A worker whose interpreter is held by compiled code does not answer.
_SECONDS_TO_ANSWER = 5.0
# So long a worker that ends itself still speaks: that it will has to get away.
_SECONDS_TO_LEAVE = 0.5


@dataclass(frozen=True)
class Seen:
    """What was seen of the tasks that one asked about."""

    tasks: dict[str, Sight]
    """Those that are being computed, by name."""
    workers: dict[str, str]
    """The address of the worker of each."""
    mute: dict[str, tuple[float, list[str]]]
    """Of workers that give no answer, by address: for how many seconds, and all tasks that they have."""


class Watch:
    """Looks at tasks through ``client``, one look at a time; what is seen is put into ``news``."""

    def __init__(self, client: distributed.Client, news: "queue.SimpleQueue[Any]") -> None:
        self._client = client
        self._news = news
        self._looking = False
        self._mute_since: dict[str, float] = {}

    def look(self, known: Mapping[str, int]) -> None:
        """Begin to look at tasks, by their names, which are their keys; see ``tasks.look``."""
        if not self._looking:
            self._looking = True
            begin(self._client, self._look(known))

    def end(self, address: str) -> None:
        """Begin to end the process of a worker. Its nanny starts another; without one the worker is lost."""
        begin(self._client, self._end(address))

    async def _look(self, known: Mapping[str, int]) -> None:
        try:
            with suppress(OSError):  # the cluster is lost, which shows elsewhere
                self._news.put(await self._seen(known))
        finally:
            self._looking = False

    async def _seen(self, known: Mapping[str, int]) -> Seen:
        scheduler: Any = self._client.scheduler
        holding = await in_time(scheduler.processing(workers=None), _SECONDS_TO_ANSWER) or {}
        asked = {
            address: wanted
            for address, names in holding.items()
            if (wanted := {name: known[name] for name in names if name in known})
        }
        answers = await asyncio.gather(*(self._ask(address, wanted) for address, wanted in asked.items()))
        now = time.monotonic()
        mute = {address for address, answer in zip(asked, answers, strict=True) if answer is None}
        self._mute_since = {address: self._mute_since.get(address, now) for address in mute}
        seen = Seen({}, {}, {a: (now - self._mute_since[a], list(holding[a])) for a in mute})
        for address, answer in zip(asked, answers, strict=True):
            seen.tasks.update(answer or {})
            seen.workers.update(dict.fromkeys(answer or {}, address))
        return seen

    async def _ask(self, address: str, wanted: dict[str, int]) -> dict[str, Sight] | None:
        """What a worker says; None where it says nothing."""
        asking = self._client.run(look, wanted, workers=[address], on_error="ignore")
        answers: dict[str, dict[str, Sight]] | None = await in_time(asking, _SECONDS_TO_ANSWER)
        return None if answers is None else answers.get(address, {})

    async def _end(self, address: str) -> None:
        with suppress(OSError):  # it is still stuck at the next look, or gone
            killing = self._client.run(_kill, workers=[address], nanny=True, on_error="ignore")
            if await in_time(killing, _SECONDS_TO_ANSWER):
                return
            leaving = self._client.run(_leave, workers=[address], on_error="ignore")
            if await in_time(leaving, _SECONDS_TO_ANSWER):
                print(  # noqa: T201
                    f"winit: the worker {address} was stuck and was ended; it has no nanny that would start"
                    " another",
                    file=sys.stderr,
                )


def _kill(dask_worker: Any) -> None:
    """Run by a nanny, of which ``dask_worker`` is Dask's name here too: end its worker's process."""
    if dask_worker.pid is not None:
        os.kill(dask_worker.pid, signal.SIGKILL)


def _leave() -> None:
    """Run by a worker: end its own process, where there is nobody else to do it."""
    threading.Timer(_SECONDS_TO_LEAVE, os._exit, [1]).start()
