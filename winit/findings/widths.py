"""Widths in queries: a text, since a network may taper, that is compared with numbers all the same.

DuckDB makes a number of the text, for which "1024-64" is no number but an error. So where ``width`` meets a
number in a query, it is read as one where it is one, and else as null, which is equal to none and larger than
none.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

_WIDTH = re.compile(r"\bwidth\b", re.IGNORECASE)
_NUMBERS = {"INTEGER", "NUMERIC"}
_ARITHMETIC = {"+", "-", "*", "/", "//", "%", "^", "**"}
_LISTS = {"COMPARE_IN", "COMPARE_NOT_IN"}

Node = dict[str, Any]


def as_numbers(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """A SELECT, with ``width`` read as a number where it meets one."""
    if not _WIDTH.search(query):
        return query
    ((serialized,),) = connection.execute("SELECT json_serialize_sql($1)", [query]).fetchall()
    found = {
        (node["query_location"], node["query_location_length"])
        for meeting in _meetings(json.loads(serialized))
        if any(map(_is_number, _parts(meeting)))
        for node in _parts(meeting)
        if _is_width(node)
    }
    text = query.encode()
    for start, length in sorted(found, reverse=True):
        end = start + length
        text = b"%bTRY_CAST(%b AS DOUBLE)%b" % (text[:start], text[start:end], text[end:])
    return text.decode()


def _meetings(tree: Any) -> Iterator[list[Node]]:
    """What is compared with each other, or calculated with, anywhere. Not by recursion: it may be deep."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if operands := _operands(part):
                yield operands
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


def _is_number(node: Node) -> bool:
    return node.get("class") == "CONSTANT" and node["literal"]["kind"] in _NUMBERS


def _is_width(node: Node) -> bool:
    return node.get("class") == "COLUMN_REF" and node["column_names"][-1].lower() == "width"
