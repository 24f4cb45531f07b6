"""Widths in queries: a text, since a network may taper, that is compared with numbers all the same.

DuckDB makes a number of the text, for which "1024-64" is no number but an error. So what ``width`` is equal
to, or not, is made a text; and where it is more or less than a number, or calculated with, it is read as one
where it is one, and else as null.
"""

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from winit.findings.statements import tree_of
from winit.sweep.schema import VIEWS

_EXACT = 2**53
"""Below it a float has every whole number."""
_WIDTH = re.compile(r"\bwidth\b", re.IGNORECASE)
_NUMBERS = {"INTEGER", "NUMERIC"}
_COLUMNS = {field.name for _, schema in VIEWS.values() for field in schema if pa.types.is_integer(field.type)}
"""Columns of whole numbers, beside which a width may stand."""
_ARITHMETIC = {"+", "-", "*", "/", "//", "%", "^", "**"}
_EQUAL = {"COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"}
_LISTS = {"COMPARE_IN", "COMPARE_NOT_IN"}

Node = dict[str, Any]
Place = tuple[int, int]
"""Where a node begins in the text, and its length, in bytes."""


def as_numbers(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A SELECT, in which ``width`` can meet a number."""
    if not _WIDTH.search(query):
        return query
    written: dict[Place, str] = {}
    for kind, meeting in _meetings(tree_of(connection, query)):
        written |= _as_texts(meeting) if kind in _EQUAL | _LISTS else _as_numbers(meeting)
    text = query.encode()
    for (start, length), form in sorted(written.items(), reverse=True):
        end = start + length
        text = text[:start] + form.format(text[start:end].decode()).encode() + text[end:]
    return text.decode()


def _as_texts(meeting: list[Node]) -> dict[Place, str]:
    """What ``width`` is equal to: numbers as it is written. Where it is calculated, a number."""
    if any(map(_calculated, meeting)) or not any(map(_is_width, meeting)):
        return _as_numbers(meeting)
    found = {_place(node): f"'{_digits(node)}'" for node in meeting if _is_constant(node)}
    return found | {_place(node): "CAST({} AS VARCHAR)" for node in meeting if _is_column(node)}


def _as_numbers(meeting: list[Node]) -> dict[Place, str]:
    parts = _parts(meeting)
    if not any(_is_constant(node) or _is_column(node) for node in parts):
        return {}
    return {_place(node): "TRY_CAST({} AS DOUBLE)" for node in parts if _is_width(node)}


def _place(node: Node) -> Place:
    return node["query_location"], node["query_location_length"]


def _digits(node: Node) -> str:
    """A number as a width is written; one that no width has is only to be another text than all of them."""
    number = float(node["literal"]["text"])
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else str(number)


def _meetings(tree: Any) -> Iterator[tuple[str, list[Node]]]:
    """What is compared, or calculated with, anywhere, and how. Not by recursion: it may be deep."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if operands := _operands(part):
                yield part.get("type", ""), operands
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _operands(node: Node) -> list[Node]:
    kind = node.get("class")
    if kind == "COMPARISON":
        return [node["left"], node["right"]]
    if kind == "BETWEEN":
        return [node["input"], node["lower"], node["upper"]]
    if kind == "OPERATOR" and node["type"] in _LISTS:
        return list(node["children"])
    return _calculated(node)


def _calculated(node: Node) -> list[Node]:
    """What a number is calculated from."""
    if node.get("class") != "FUNCTION" or node["function_name"] not in _ARITHMETIC:
        return []
    return [argument["expression"] for argument in node["arguments"]]


def _parts(operands: list[Node]) -> list[Node]:
    """The operands, and what these are calculated from."""
    found = []
    waiting = [*operands]
    while waiting:
        found.append(waiting.pop())
        waiting += _calculated(found[-1])
    return found


def _is_constant(node: Node) -> bool:
    return node.get("class") == "CONSTANT" and node["literal"]["kind"] in _NUMBERS


def _is_column(node: Node) -> bool:
    return _name(node) in _COLUMNS


def _is_width(node: Node) -> bool:
    return _name(node) == "width"


def _name(node: Node) -> str:
    """Of a column."""
    return str(node["column_names"][-1]).lower() if node.get("class") == "COLUMN_REF" else ""
