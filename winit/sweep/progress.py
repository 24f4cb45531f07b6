"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskProgressColumn,
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
        self._started = self._last_line = time.monotonic()
        self._bar = Bar(
            TextColumn(work),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TaskProgressColumn(show_speed=True),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failures]}", style="red"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(work, total=total, failures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, count: int, failed: int = 0) -> None:
        """Say that so many more are done, of which so many failed."""
        self.done += count
        self.failed += failed
        failures = f"{self.failed} failed" if self.failed else ""
        self._bar.update(self._task, advance=count, failures=failures)
        now = time.monotonic()
        if self._bar.disable and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            rate = self.done / (now - self._started)
            left = (self.total - self.done) / rate
            print(
                f"{self.work}: {self.done} of {self.total} {self.unit}, {rate:.1f} a second,"
                f" {left:.0f} s left" + (f", {failures}" if failures else ""),
                file=self._console.file,
                flush=True,
            )
