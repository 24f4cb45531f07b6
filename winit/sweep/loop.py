"""What is asked of a cluster in the background, in the loop of its client."""

import asyncio
import sys
from collections.abc import Awaitable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

import distributed

from winit.network.labels import described
from winit.visible import visible

Answer = TypeVar("Answer")


def begin(client: distributed.Client, doing: Coroutine[Any, Any, None]) -> None:
    """Begin to do something. What it raises is said, since nobody waits for it."""
    loop: Any = client.loop
    asyncio.run_coroutine_threadsafe(doing, loop.asyncio_loop).add_done_callback(_said)


def _said(done: "Future[None]") -> None:
    try:
        error = done.exception()
    except CancelledError:  # the client was closed
        return
    if error is not None:
        print(visible(f"winit: {described(error)}"), file=sys.stderr)  # noqa: T201


async def in_time(asking: Awaitable[Answer], seconds: float) -> Answer | None:
    """What an awaitable gives; None where that takes too long. That it is cancelled is not waited for."""
    task = asyncio.ensure_future(asking)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if done:
        return task.result()
    task.cancel()
    return None
