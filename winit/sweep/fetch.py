"""Results on their way here: together, and one by one where a worker does not hand them over."""

import asyncio
import queue
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import distributed

from winit.sweep.loop import begin, in_time
from winit.sweep.store import Part

# What takes longer is fetched again, by itself, for twice as long, and so on.
_SECONDS = 5.0

Pending: TypeAlias = "distributed.Future[Part]"


class Fetched(NamedTuple):
    """A task that is over, and what it came to: a part, or what it or its worker raised."""

    future: Pending
    outcome: Part | Exception


class Fetch:
    """Fetches through ``client``; what comes late is put into ``news``.

    Dask gathers what is asked for at the same time with one request, so that one worker that does not answer,
    being stuck in its next task, holds back the results of all others.
    """

    def __init__(self, client: distributed.Client, news: "queue.SimpleQueue[Any]") -> None:
        self._client = client
        self._news = news
        self._one_by_one = asyncio.Lock()

    def together(self, finished: Sequence[Pending]) -> Iterator[Fetched]:
        """What tasks came to that have finished, as far as it is to be had now; the rest becomes news."""
        if not finished:
            return
        for future, outcome in zip(finished, self._client.sync(_outcomes, finished), strict=True):
            if outcome is None:
                begin(self._client, self._bring(future))
            else:
                yield Fetched(future, outcome)

    async def _bring(self, future: Pending) -> None:
        outcome, seconds = None, _SECONDS
        while outcome is None:
            async with self._one_by_one:
                outcome = await in_time(_outcome(future), seconds)
            if outcome is None:
                await asyncio.sleep(seconds)
                seconds *= 2
        self._news.put(Fetched(future, outcome))


async def _outcomes(finished: Sequence[Pending]) -> list[Part | Exception | None]:
    return await asyncio.gather(*(in_time(_outcome(future), _SECONDS) for future in finished))


async def _outcome(future: Pending) -> Part | Exception:
    try:
        return await future
    except Exception as error:  # noqa: BLE001 - whatever a task or its worker came to
        return error
