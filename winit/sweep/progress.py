"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BETWEEN_COUNTS = 2.0


class Progress:
    """Counts what is done; a context manager. Writes to ``stream``, standard error by default."""

    def __init__(
        self,
        total: int,
        stream: TextIO | None = None,
        *,
        work: str = "sweep",
        unit: str = "cells",
        note: str = "",
    ) -> None:
        self.total, self.work, self.unit = total, work, unit
        self.done = 0
        self.failed = 0
        self._lock = threading.Lock()
        self._workers: Callable[[], int] | None = None
        self._note = note
        self._remark = ""
        self._console = Console(file=stream or sys.stderr)
        self._started = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._bar = Bar(
            TextColumn(work),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.fields[workers]}"),
            TextColumn("{task.fields[failures]}", style="red"),
            TextColumn("{task.fields[remark]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        fields: dict[str, Any] = {"rate": "", "workers": self._note, "failures": "", "remark": ""}
        self._task = self._bar.add_task(work, total=total, **fields)

    def __enter__(self) -> Self:
        self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._bar.stop()

    @contextmanager
    def counting(self, workers: Callable[[], int]) -> Iterator[None]:
        """Say meanwhile how many workers there are. What was before does not count as time.

        ``workers`` is called from another thread, and may raise an OSError.
        """
        self._started = time.monotonic()
        with self._lock:
            self._workers = workers
        try:
            yield
        finally:
            with self._lock:
                self._workers = None

    def advance(self, count: int, failed: int = 0) -> None:
        """Say that so many more are done, of which so many failed."""
        self.done += count
        self.failed += failed
        rate = f"{self._rate:.1f} a second"
        self._bar.update(self._task, advance=count, rate=rate, failures=self._failures)

    def remark(self, words: str) -> None:
        """Say from now on what takes long; "" where nothing does."""
        self._remark = words

    @property
    def line(self) -> str:
        """How far it is, in words."""
        left = f"{(self.total - self.done) / self._rate:.0f} s left" if self.done else "time left unknown"
        said = [f"{self.done} of {self.total} {self.unit}", f"{self._rate:.1f} a second", left, self._note]
        remark = f"; {self._remark}" if self._remark else ""
        return f"{self.work}: {', '.join(filter(None, [*said, self._failures]))}{remark}"

    @property
    def _rate(self) -> float:
        return self.done / (time.monotonic() - self._started)

    @property
    def _failures(self) -> str:
        return f"{self.failed} failed" if self.failed else ""

    def _look_on(self) -> None:
        # In a thread of its own: the next cell may be long in coming, and one wants to see that all is well.
        lines = self._bar.disable
        while not self._stopped.wait(SECONDS_BETWEEN_LINES if lines else _SECONDS_BETWEEN_COUNTS):
            with self._lock:
                if self._workers is not None:
                    self._note = _counted(self._workers)
            if lines:
                print(self.line, file=self._console.file, flush=True)
            else:
                self._bar.update(self._task, workers=self._note, remark=self._remark)


def _counted(workers: Callable[[], int]) -> str:
    try:
        count = workers()
    except OSError:
        return "no answer from the cluster"
    return f"{count} worker{'s' * (count != 1)}"
