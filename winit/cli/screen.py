"""Writing to the terminal, or to whatever stands there instead."""

import codecs
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from winit.visible import visible

_UNBOUNDED = 100_000


class Screen(Console):
    """Standard output, or a file. What is no terminal is as wide as what is written to it.

    Text has no markup, and nothing in it that a terminal would obey, whoever wrote it.
    """

    def __init__(self, file: IO[str] | None = None) -> None:
        terminal = file is None and sys.stdout.isatty()
        super().__init__(
            file=file, highlight=False, markup=False, emoji=False, width=None if terminal else _UNBOUNDED
        )

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """Rich's pieces of text, each made visible; its own signs to the terminal are none of these."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text, lines=True), segment.style)

    def on_broken_pipe(self) -> None:
        """Nobody reads on: ``reader_may_leave`` knows what to do."""
        raise BrokenPipeError


class Terminal(io.RawIOBase):
    """Takes bytes of UTF-8 for the terminal at standard output, and shows them as ``visible`` does."""

    def __init__(self) -> None:
        super().__init__()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        sys.stdout.write(visible(self._decode(bytes(data)), lines=True))
        return len(data)


def say(text: str, *, error: bool = False) -> None:
    """A line, or several, to standard output or standard error."""
    click.echo(visible(text, lines=True), err=error)


def cell(text: str) -> Text:
    """A cell of a table, which is one line."""
    return Text(visible(text))


def table_of(header: Sequence[str], right: Sequence[bool]) -> Table:
    """An empty table; ``right`` says which columns stand on the right."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for name, number in zip(header, right, strict=True):
        table.add_column(cell(name), justify="right" if number else "left", overflow="fold")
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
