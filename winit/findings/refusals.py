"""What DuckDB says of a query that it cannot answer, as one line with the mend."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

_NO_COLUMN = re.compile(
    r'Referenced column "(?P<a>[^"]+)" (?:was )?not found|does not have a column named "(?P<b>[^"]+)"'
    r'|Referenced table "(?P<table>[^"]+)" not found'
)
_NO_VIEW = re.compile(r"Table with name (\S+) does not exist")
_PLACE = re.compile(r"\s*\n\n(?P<head>LINE (?P<number>\d+): )(?P<line>.*)\n(?P<before> *)\^.*", re.DOTALL)
_CUT = "..."
"""What DuckDB puts where it shows but a part of a line."""
_SHIFTED = 2
"""Lines that DuckDB puts before a query, where it asks for the first rows or their number."""
_CANDIDATES = re.compile(r"\n\tCandidate functions:(?P<functions>(?:\n\t[^\n]*)*)")
_OF_COLUMN = re.compile(r"Could not convert string (?s:.*) when casting from source column (?P<column>\w+)")
_TEXT_AND_NUMBER = re.compile(r"(?:Cannot (?:compare|mix) values|No function matches)[^\n]*\bVARCHAR\b")
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
    texts: Collection[str] = ()
    """the columns that are text"""


def refusal(message: str, shelf: Shelf, query: str) -> str:
    """``message`` of DuckDB about ``query`` in one line, in our words where it is about a name."""
    if found := _NO_VIEW.search(message):
        return _no_view(found[1], shelf)
    if found := _NO_COLUMN.search(message):
        if table := found["table"]:
            return _no_view(table, shelf)
        return _no_column(found["a"] or found["b"], shelf)
    said = _CANDIDATES.sub(_few, _PLACE.sub("", message))
    said = " ".join(said.split()).removeprefix("Parser Error: ").removeprefix("Binder Error: ")
    return said.removesuffix(".") + _where(message, query) + _text(message, shelf, query)


def _few(candidates: re.Match[str]) -> str:
    """An operator has dozens, of which none is the mend."""
    return "" if candidates["functions"].count("\n") > _MOST else candidates[0]


def _where(message: str, query: str) -> str:
    """The place that ``message`` names, in ``query`` as it was asked, not as DuckDB has put it into another.

    Nothing where it is in what DuckDB has made of it, as of a PIVOT.
    """
    place = _PLACE.search(message)
    if place is None:
        return ""
    lines = re.sub(r"[\t\r\f\v]", " ", query).split("\n")
    shown = place["line"]
    left = shown.startswith(_CUT) and not any(shown in line for line in lines)
    part = shown.removeprefix(_CUT) if left else shown
    if not any(part in line for line in lines):
        part = part.removesuffix(_CUT)
    numbers = [number for number, line in enumerate(lines, 1) if part in line]
    if not numbers:
        return ""
    said = int(place["number"])
    number = next((number for number in (said, said - _SHIFTED) if number in numbers), numbers[0])
    behind = len(place["before"]) - len(place["head"]) - (len(_CUT) if left else 0)
    column = lines[number - 1].index(part) + behind + 1
    return f" in line {number}, column {column}: {shown.strip()}"


def _text(message: str, shelf: Shelf, query: str) -> str:
    """Which columns are text, and how to write that, where ``message`` is about numbers and text."""
    if found := _OF_COLUMN.search(message):
        names = [found["column"]] if found["column"] in shelf.texts else []
    elif _TEXT_AND_NUMBER.search(message):
        names = [name for name in shelf.texts if re.search(rf"\b{name}\b", query, re.IGNORECASE)]
    else:
        names = []
    if not names:
        return ""
    return (
        f"; {', '.join(names)} {'is' if len(names) == 1 else 'are'} text: write the value in quotation marks,"
        f" or TRY_CAST({names[0]} AS DOUBLE) where a number is meant"
    )


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
