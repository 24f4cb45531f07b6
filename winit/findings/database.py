"""The results as DuckDB views: layers, cells, theory, summary, answers, ranking, training,
training_runs, claims.
"""

from pathlib import Path

import duckdb

from winit.errors import WinitError
from winit.sweep.layout import Results
from winit.sweep.plan import sources_in

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


class Database:
    """A read-only view of a results folder. ``sql`` gives a DuckDB relation: .pl(), .df(), .arrow()."""

    def __init__(self, folder: str | Path = "results") -> None:
        results = Results(Path(folder))
        files = {
            "layers": sorted(results.layers.glob("*.parquet")),
            "cells": [results.cells],
            "theory": [results.theory],
            "summary": [results.summary],
            "answers": [results.answers],
            "ranking": [results.ranking],
            "training": [results.training],
            "training_runs": [results.training_runs],
            "claims": [results.claims],
        }
        self.views = {
            name: [str(path) for path in paths]
            for name, paths in files.items()
            if paths and all(path.exists() for path in paths)
        }
        if not self.views:
            raise WinitError(f"{folder} holds no results yet; `snakemake --cores all` makes them")
        self.sources = sources_in(results.read_plan()) if results.plan.exists() else ()
        """The user's own functions, as they were when they were computed."""
        self._connection = duckdb.connect()
        for name, paths in self.views.items():
            self._connection.read_parquet(paths).create_view(name)
        # From here on a query can read these files and nothing else.
        self._connection.execute(
            "SET allowed_paths = $paths",
            {"paths": [path for paths in self.views.values() for path in paths]},
        )
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The answer to one SELECT. Raises WinitError on anything else, and where DuckDB refuses it."""
        try:
            kinds = [statement.type for statement in self._connection.extract_statements(query)]
            if len(kinds) != 1 or kinds[0] not in _READING:
                raise WinitError("only one query that reads (SELECT, FROM, EXPLAIN) is allowed")
            return self._connection.sql(query)
        except duckdb.Error as error:
            raise self._refusal(error) from None

    def show(self, query: str) -> str:
        """The answer as a table for a terminal. Raises WinitError as ``sql`` does, and while it runs."""
        try:
            return str(self.sql(query))
        except duckdb.Error as error:
            raise self._refusal(error) from None

    def _refusal(self, error: duckdb.Error) -> WinitError:
        return WinitError(f"{error}\n(the views here: {', '.join(self.views)})")


def quoted(value: str | float) -> str:
    """An SQL literal."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
