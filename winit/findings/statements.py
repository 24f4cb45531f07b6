"""What is a query: statements of which the parser itself shows that they read and do nothing else.

DuckDB's kinds of statements do not say that: a WITH may hold one that writes, an EXPLAIN may run what it
explains, and some functions in FROM change settings. So DuckDB is asked for the tree of a statement, which it
gives of a SELECT alone (FROM, VALUES, DESCRIBE, SUMMARIZE and SHOW are some too), and every node is looked
at.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from winit.errors import WinitError

_KINDS = duckdb.StatementType
_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
FUNCTIONS = {
    *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"),
    *("histogram", "histogram_values", "summary", "pragma_table_info", "pragma_version"),
    *(
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_tables",
        "duckdb_types",
        "duckdb_views",
    ),
}
"""What may stand in FROM as a function."""
_EXPLAIN = re.compile(
    r"(?P<head>(?:\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN(?:\s+ANALYZE)?(?:\s*\([\w\s,]*\))?)(?=[\s(])(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_CALL = re.compile(r"""(?P<name>\w+|"(?:[^"]|"")+")\s*\(""")
# A PIVOT that has to look at the values first becomes several statements, of which DuckDB shows no tree.
_PIVOTS = {"pivot", "pivot_wider"}
_CHANGES = {
    *("alter", "analyze", "attach", "call", "checkpoint", "copy", "create", "delete", "detach", "drop"),
    *("execute", "export", "import", "insert", "install", "load", "merge", "pragma", "prepare", "reset"),
    *("set", "truncate", "update", "use", "vacuum"),
}
"""What statements begin with that do anything but read, wherever in a text they stand. A REPLACE or INTO that
changes something belongs to one of them; others read: ``* REPLACE (…)``, ``INTO NAME …``."""
_ONE_QUERY = "only one query that reads (SELECT, FROM, PIVOT, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN) is allowed"


def check_reads(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Raise WinitError where ``text`` is not one statement that only reads; duckdb.Error where it is none."""
    kinds = [statement.type for statement in connection.extract_statements(text)]
    if kinds == [_KINDS.EXPLAIN]:
        # It is a query where what it explains, and with ANALYZE runs, is one.
        found = _EXPLAIN.fullmatch(text)
        if found is None:
            raise WinitError(_ONE_QUERY)
        check_reads(connection, found["rest"])
    elif kinds == [_KINDS.MULTI]:
        found = _EXPLAIN.fullmatch(text)
        _check_pivot(connection, found["rest"] if found else text)
    elif kinds == [_KINDS.SELECT]:
        _check_tree(connection, text)
    else:
        raise WinitError(_ONE_QUERY)


def tree_of(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    """What DuckDB makes of a SELECT; of all else an object with an ``error``.

    Raises WinitError where it is nested more deeply than Python reads.
    """
    ((serialized,),) = connection.execute("SELECT json_serialize_sql($1)", [text]).fetchall()
    try:
        tree: dict[str, Any] = json.loads(serialized)
    except RecursionError:
        raise WinitError("the query is nested too deeply; put fewer operations into one another") from None
    return tree


def _check_tree(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    tree = tree_of(connection, text)
    if tree["error"]:
        raise WinitError(_ONE_QUERY)
    for part in _parts(tree):
        kind = part.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _NODES:
            raise WinitError(_ONE_QUERY)
        if kind == "TABLE_FUNCTION":
            _check_function(part["function"]["function_name"])


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree. Not by recursion: a query may be nested deeply."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _check_function(name: str) -> None:
    if name.lower() not in FUNCTIONS:
        raise WinitError(
            f"Cannot access files or settings by {name}(): a query reads the views, and in FROM there may be"
            f" {', '.join(sorted(FUNCTIONS))}"
        )


def _check_pivot(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """By its words, since there is no tree, wherever in the text a PIVOT stands."""
    tokens = duckdb.tokenize(text)
    ends = [start for start, _ in tokens[1:]] + [len(text.encode())]
    encoded = text.encode()
    kept = [
        encoded[start:end].decode(errors="replace")
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind not in {duckdb.token_type.string_const, duckdb.token_type.comment}
    ]
    words = [word.strip().lower() for word in kept]
    if not _PIVOTS.intersection(words):
        raise WinitError(_ONE_QUERY)
    if changes := sorted(_CHANGES.intersection(words)):
        raise WinitError(
            f"{_ONE_QUERY}; beside a PIVOT a column that is called {changes[0]} wants double quotes"
        )
    known = connection.execute(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
        " WHERE function_type IN ('table', 'table_macro', 'pragma')"
    ).fetchall()
    tables = {name for (name,) in known} - FUNCTIONS
    for call in _CALL.finditer(" ".join(words)):
        name = call["name"].strip('"')
        if name in tables:
            _check_function(name)
