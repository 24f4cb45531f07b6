"""What DuckDB says of a query that it cannot answer, as one line with the mend."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_NO_COLUMN = re.compile(
    r'Referenced column "(?P<a>[^"]+)" (?:was )?not found|does not have a column named "(?P<b>[^"]+)"'
    r'|Referenced table "(?P<table>[^"]+)" not found'
)
_NO_VIEW = re.compile(r"Table with name (\S+) does not exist")
_PLACE = re.compile(r"\s*\n\nLINE (?P<number>\d+): (?P<line>.*)\n.*", re.DOTALL)
_MOST = 5


@dataclass(frozen=True)
class Shelf:
    """What can be asked: the columns of each view, and the views that are not there, with their makers."""

    columns: Mapping[str, Sequence[str]]
    missing: Mapping[str, str]
    damaged: Mapping[str, str] = field(default_factory=dict)
    """the views that cannot be read, each with a line that says so"""
    nothing: Mapping[str, str] = field(default_factory=dict)
    """the views that these results will never have, each with the reason"""


def refusal(message: str, shelf: Shelf) -> str:
    """``message`` of DuckDB in one line, in our words where it is about a name."""
    if found := _NO_VIEW.search(message):
        return _no_view(found[1], shelf)
    if found := _NO_COLUMN.search(message):
        if table := found["table"]:
            return _no_view(table, shelf)
        return _no_column(found["a"] or found["b"], shelf)
    place = _PLACE.search(message)
    where = f" in line {place['number']}: {place['line'].strip()}" if place else ""
    said = " ".join(_PLACE.sub("", message).split())
    return said.removeprefix("Parser Error: ").removeprefix("Binder Error: ") + where


def _no_view(name: str, shelf: Shelf) -> str:
    if name in shelf.damaged:
        return shelf.damaged[name]
    if name in shelf.missing:
        return f"there is no {name} yet; {shelf.missing[name]} makes it"
    if name in shelf.nothing:
        return f"there is no {name}: {shelf.nothing[name]} (the views here: {', '.join(shelf.columns)})"
    near = difflib.get_close_matches(name, [*shelf.columns, *shelf.missing], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no view {name!r}{hint} (the views here: {', '.join(shelf.columns)})"


def _no_column(name: str, shelf: Shelf) -> str:
    having = [view for view, columns in shelf.columns.items() if name in columns]
    if having:
        verb = "has" if len(having) == 1 else "have"
        return f"there is no column {name!r} in what is asked; {', '.join(having)} {verb} it"
    every = dict.fromkeys(column for columns in shelf.columns.values() for column in columns)
    near = difflib.get_close_matches(name, every, n=_MOST)
    hint = f"; the nearest are {', '.join(near)}" if near else ""
    return f"there is no column {name!r}{hint} (`winit query --schema` lists all)"
