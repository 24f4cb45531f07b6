"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from typing import Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts what is done; a context manager. Writes to ``stream``, standard error by default."""

    def __init__(
        self, total: int, stream: TextIO | None = None, *, work: str = "sweep", unit: str = "cells"
    ) -> None:
        self.total, self.work, self.unit = total, work, unit
        self.done = 0
        self.failed = 0
        self._console = Console(file=stream or sys.stderr)
        self._started = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write_lines, daemon=True)
        self._bar = Bar(
            TextColumn(work),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.fields[failures]}", style="red"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(work, total=total, rate="", failures="")

    def __enter__(self) -> Self:
        self._bar.start()
        if self._bar.disable:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._stopped.set()
        if self._bar.disable:
            self._thread.join()

    def advance(self, count: int, failed: int = 0) -> None:
        """Say that so many more are done, of which so many failed."""
        self.done += count
        self.failed += failed
        rate = f"{self._rate:.1f} a second"
        self._bar.update(self._task, advance=count, rate=rate, failures=self._failures)

    @property
    def line(self) -> str:
        """How far it is, in words."""
        left = f"{(self.total - self.done) / self._rate:.0f} s left" if self.done else "time left unknown"
        said = [f"{self.done} of {self.total} {self.unit}", f"{self._rate:.1f} a second", left]
        return f"{self.work}: {', '.join(said + [self._failures] * bool(self.failed))}"

    @property
    def _rate(self) -> float:
        return self.done / (time.monotonic() - self._started)

    @property
    def _failures(self) -> str:
        return f"{self.failed} failed" if self.failed else ""

    def _write_lines(self) -> None:
        # In a thread of its own: the next cell may be long in coming, and one wants to see that all is well.
        while not self._stopped.wait(SECONDS_BETWEEN_LINES):
            print(self.line, file=self._console.file, flush=True)
