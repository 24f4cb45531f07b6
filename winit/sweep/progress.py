"""Progress of a sweep: a bar on a terminal, a line now and then elsewhere."""

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
    """Counts cells; a context manager. Writes to ``stream``, standard error by default."""

    def __init__(self, cells: int, stream: TextIO | None = None) -> None:
        self.cells = cells
        self.done = 0
        self.failed = 0
        self._console = Console(file=stream or sys.stderr)
        self._started = self._last_line = time.monotonic()
        self._bar = Bar(
            TextColumn("sweep"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TaskProgressColumn(show_speed=True),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failures]}", style="red"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("sweep", total=cells, failures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, cells: int, failed: int = 0) -> None:
        """Say that so many more cells are done, of which so many failed."""
        self.done += cells
        self.failed += failed
        failures = f"{self.failed} failed" if self.failed else ""
        self._bar.update(self._task, advance=cells, failures=failures)
        now = time.monotonic()
        if self._bar.disable and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            rate = self.done / (now - self._started)
            left = (self.cells - self.done) / rate
            print(
                f"sweep: {self.done} of {self.cells} cells, {rate:.1f} a second, {left:.0f} s left"
                + (f", {failures}" if failures else ""),
                file=self._console.file,
                flush=True,
            )
