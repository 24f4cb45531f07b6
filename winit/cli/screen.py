"""Writing to the terminal, or to whatever stands there instead."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 100_000


class Screen(Console):
    """Standard output, or a file. What is no terminal is as wide as what is written to it."""

    def __init__(self, file: IO[str] | None = None) -> None:
        terminal = file is None and sys.stdout.isatty()
        super().__init__(file=file, highlight=False, width=None if terminal else _UNBOUNDED)

    def on_broken_pipe(self) -> None:
        """Nobody reads on: ``reader_may_leave`` knows what to do."""
        raise BrokenPipeError


def table_of(header: Sequence[str], right: Sequence[bool]) -> Table:
    """An empty table; ``right`` says which columns stand on the right."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for name, number in zip(header, right, strict=True):
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    return table


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """That the reader of standard output has seen enough (``| head``) is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
