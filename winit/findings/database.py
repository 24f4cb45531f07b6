"""The results as DuckDB views: layers, cells, theory, summary, answers, ranking, training,
training_runs, claims.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb
import pyarrow as pa

from winit.errors import WinitError
from winit.findings.refusals import Shelf, refusal
from winit.sweep.layout import Results

if TYPE_CHECKING:
    from winit.network.sources import Sources

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_ROWS_OF_A_BATCH = 20_000
"""Of layers with histograms some 20 MB."""
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Answer:
    """What a query gives: its columns, and its rows as they come, never all at once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Database:
    """A read-only view of a results folder.

    ``sql`` gives a DuckDB relation: ``.pl()``, ``.df()``, ``.to_arrow_table()``, ``.fetchall()``.
    """

    def __init__(self, folder: str | Path = "results") -> None:
        self._results = results = Results(Path(folder))
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
        self.missing = {name: _step(name, results) for name in files if name not in self.views}
        """The views that are not there yet, each with the command that makes it."""
        if not self.views:
            raise WinitError(
                f"{folder} holds no results yet; `snakemake --cores all` makes them"
                " (another folder: --results FOLDER)"
            )
        self._connection = duckdb.connect()
        self._columns: dict[str, list[str]] = {}
        for name, paths in self.views.items():
            try:
                rows = self._connection.read_parquet(paths)
                rows.create_view(name)
                self._columns[name] = rows.columns
            except duckdb.Error as error:
                lines = str(error).splitlines()
                raise WinitError(
                    f"{name} cannot be read ({lines[0]}); {_step(name, results)} makes it anew"
                ) from None
        # From here on a query can read these files and nothing else.
        self._connection.execute(
            "SET allowed_paths = $paths",
            {"paths": [path for paths in self.views.values() for path in paths]},
        )
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    @cached_property
    def sources(self) -> "Sources":
        """The user's own functions, as they were when they were computed."""
        from winit.sweep.plan import sources_in  # a query has no need of it, and should start at once

        return sources_in(self._results.read_plan()) if self._results.plan.exists() else ()

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The answer to one SELECT. Raises WinitError on anything else, and where DuckDB refuses it."""
        try:
            kinds = [statement.type for statement in self._connection.extract_statements(query)]
            if len(kinds) != 1 or kinds[0] not in _READING:
                raise WinitError("only one query that reads (SELECT, FROM, DESCRIBE, EXPLAIN) is allowed")
            return self._connection.sql(query)
        except duckdb.Error as error:
            raise self._refusal(error) from None

    def answer(self, query: str, most: int | None = None) -> Answer:
        """The same in batches of rows, or the first ``most`` rows of it.

        Raises WinitError as ``sql`` does, and while it runs. Ctrl-C is heard meanwhile. The rows are to be
        read to the end before the next query.
        """
        relation = self.sql(query)
        if most is not None:
            relation = relation.limit(most)
        reader = self._awaited(lambda: relation.to_arrow_reader(_ROWS_OF_A_BATCH))

        def batches() -> Iterator[pa.RecordBatch]:
            while (batch := self._awaited(lambda: next(reader, None))) is not None:
                yield batch

        return Answer(reader.schema, batches())

    def count(self, query: str) -> int:
        """How many rows it gives. Raises WinitError as ``answer`` does."""
        relation = self.sql(query)
        ((rows,),) = self._awaited(lambda: relation.aggregate("count(*)").fetchall())
        return int(rows)

    def _awaited(self, work: Callable[[], _Result]) -> _Result:
        """What ``work`` gives. DuckDB hears no signal while it computes, so it does that in a thread."""
        with ThreadPoolExecutor(1) as pool:
            computing = pool.submit(work)
            try:
                return computing.result()
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise self._refusal(error) from None
            except BaseException:  # Ctrl-C
                self._connection.interrupt()
                raise

    def _refusal(self, error: Exception) -> WinitError:
        return WinitError(refusal(str(error), Shelf(self._columns, self.missing)))


def _step(view: str, results: Results) -> str:
    """The command that makes a view."""
    if view in {"summary", "answers", "ranking", "claims"}:
        return f"`winit {'claims' if view == 'claims' else 'summarize'} --results {results.folder}`"
    step = {"theory": "theory", "training": "train", "training_runs": "train"}.get(view, "collect")
    return f"`winit {step} --config {results.folder / 'config.yaml'}`"


def quoted(value: str | float) -> str:
    """An SQL literal."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
