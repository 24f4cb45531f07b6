"""The results as DuckDB views: layers, cells, theory, summary, answers, ranking, training,
training_runs, claims.
"""

import re
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from winit.errors import WinitError
from winit.findings.reading import PROTOCOL, ReadOnlyFiles
from winit.findings.refusals import Shelf, refusal
from winit.findings.spelling import COLUMNS, Hints, hints, texts_in
from winit.findings.statements import check_reads
from winit.findings.widths import as_numbers
from winit.sweep.layout import Results
from winit.sweep.seals import DamagedError, check_table

_ROWS_OF_A_BATCH = 20_000
"""Of layers with histograms some 20 MB."""
_MAGIC = b"PAR1"
OF_CELLS = ("layers", "cells", "theory", "summary", "answers", "ranking")
"""Views of the cells alone."""
TRAINING_ALONE = "these results are of training alone, without cells"
SEALED = ("layers", "cells", "theory", "training", "training_runs")
"""Views whose files have digests."""
# To ask a question must not take longer than to answer it: the digests of larger files are left to the steps.
_CHECKED_BYTES = 1 << 26
# What a query is refused for before it reads anything.
_UNREAD = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.PermissionException,
    duckdb.InterruptException,
    duckdb.ConversionException,
)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Answer:
    """What a query gives: its columns, and its rows as they come, never all at once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class _Views(dict[str, list[Path]]):
    """The files of each view. To ask for one that is damaged is an error, the mend in it."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: dict[str, str] = {}

    def __contains__(self, name: object) -> bool:
        if name in self.damaged:
            raise WinitError(self.damaged[str(name)])
        return super().__contains__(name)


class Database:
    """A read-only view of a results folder.

    ``sql`` gives a DuckDB relation: ``.pl()``, ``.df()``, ``.to_arrow_table()``, ``.fetchall()``. A file
    that is damaged costs its own view alone. ``tell``, where there is one, hears of labels that a query
    writes otherwise than the tables do (``spelling``).
    """

    def __init__(self, folder: str | Path = "results", tell: Callable[[str], None] | None = None) -> None:
        self.folder = Path(folder)
        self._tell = tell
        results = Results(self.folder)
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
        there = {
            name: paths for name, paths in files.items() if paths and all(path.exists() for path in paths)
        }
        self.missing = {name: maker(name, results) for name in files if name not in there}
        """The views that are not there yet, each with the command that makes it."""
        if not there:
            raise WinitError(
                f"{folder} holds no results yet; `snakemake --cores all` makes them"
                " (another folder: --results FOLDER)"
            )
        self._names = {
            path: f"{PROTOCOL}://{name}/{number}.parquet"
            for name, paths in there.items()
            for number, path in enumerate(paths)
        }
        """What DuckDB knows the files by; it sees no other."""
        scratch = tempfile.TemporaryDirectory(prefix="winit-query-")
        weakref.finalize(self, scratch.cleanup)
        self._connection = duckdb.connect(config={"temp_directory": scratch.name})
        self._connection.register_filesystem(
            ReadOnlyFiles({name: path for path, name in self._names.items()})
        )
        self.views = _Views()
        """The files of each view that can be read."""
        self.trains_alone = False
        """Whether no cells were planned: their views hold nothing, and are not there."""
        self._columns: dict[str, list[str]] = {}
        self._texts: dict[str, None] = {}
        """The columns that are text, each once."""
        for name, paths in there.items():
            try:
                self._open(name, paths)
            except _DamagedError as error:
                self.views.damaged[name] = self._line(name, error)
        # The count is in the file's footer, which was read: damage elsewhere does not show here.
        if "cells" in self._columns and self._rows(there["cells"]).count("*").fetchall() == [(0,)]:
            self.trains_alone = True
            for name in OF_CELLS:
                self._close(name)
                self.missing.pop(name, None)
        # From here on DuckDB can read these files and nothing else, and write none: see ReadOnlyFiles.
        self._connection.execute("SET allowed_paths = $paths", {"paths": list(self._names.values())})
        self._connection.execute("SET python_enable_replacements = false")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def _open(self, view: str, paths: list[Path]) -> None:
        """Make a view. Raises _DamagedError where a file is seen to be damaged."""
        for path in paths:
            _check_ends(path)
            if view in SEALED and path.stat().st_size <= _CHECKED_BYTES:
                _check_table(path)
        rows = self._rows(paths)
        rows.create_view(view)
        self._columns[view] = rows.columns
        named = zip(rows.columns, rows.types, strict=True)
        self._texts |= {name: None for name, type_ in named if type_ == duckdb.sqltypes.VARCHAR}
        self.views[view] = paths

    def _close(self, view: str) -> None:
        if view in self._columns:
            del self._columns[view], self.views[view]
            self._connection.execute(f"DROP VIEW {view}")

    def _rows(self, paths: Sequence[Path]) -> duckdb.DuckDBPyRelation:
        try:
            return self._connection.read_parquet(
                [self._names[path] for path in paths], hive_partitioning=False
            )
        except duckdb.Error as error:
            raise _DamagedError(paths[0], self._said(error)) from None

    def check_columns(self) -> None:
        """Count as damaged the views whose files lack a column, or have one of another type.

        Not done when it opens: what the columns are is in modules that take a second to load.
        """
        for view, paths in list(self.views.items()):
            try:
                self._check_columns(view, paths[0], self._rows(paths[:1]))
            except _DamagedError as error:
                self.views.damaged[view] = self._line(view, error)
                self._close(view)

    def _check_columns(self, view: str, path: Path, rows: duckdb.DuckDBPyRelation) -> None:
        from winit.sweep.schema import VIEWS

        expected = _plain(VIEWS[view][1])
        columns = dict(zip(rows.columns, map(str, rows.types), strict=True))
        if lacking := [name for name in expected.names if name not in columns]:
            raise _DamagedError(path, f"without {', '.join(lacking)}, as of another version of winit")
        meant = self._connection.from_arrow(expected.empty_table())
        for name, type_ in zip(meant.columns, map(str, meant.types), strict=True):
            if columns[name] != type_:
                raise _DamagedError(path, f"{name} is {columns[name]}, not {type_}")

    def _said(self, error: Exception) -> str:
        """The first line of an error, of the files as people know them."""
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        for path, name in self._names.items():
            text = text.replace(name, str(path))
        return text

    @property
    def damaged(self) -> dict[str, str]:
        """The views that cannot be read, each with a line that says why and what makes it anew."""
        return self.views.damaged

    @contextmanager
    def naming_damage(self) -> Iterator[None]:
        """In the body, an error of DuckDB's while it reads becomes a WinitError that names the damaged file.

        For what reads relations; ``answer`` and ``count`` do so themselves. Other errors stay as they are.
        """
        self.check_columns()
        try:
            yield
        except duckdb.Error as error:
            if (found := self._damage(error, self.views)) is None:
                raise
            raise WinitError(found) from None

    def _damage(self, error: Exception, views: Sequence[str] | _Views) -> str | None:
        """A line about the file of these views that cannot be read to its end, where there is one."""
        if isinstance(error, _UNREAD):
            return None
        for view in views:
            for path in self.views[view]:
                try:
                    rows = self._rows([path])
                    self._check_columns(view, path, rows)
                    rows.aggregate("bit_xor(hash(COLUMNS(*)))").fetchall()  # of a count statistics would do
                except _DamagedError as damaged:
                    return self._line(view, damaged)
                except duckdb.Error as damaged:
                    return self._line(view, _DamagedError(path, self._said(damaged)))
        return None

    def _line(self, view: str, error: "_DamagedError") -> str:
        return f"{view} cannot be read ({error}); {maker(view, Results(self.folder))} makes it anew"

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The answer to one query that reads.

        Raises WinitError on anything else, and where DuckDB refuses it.
        """
        relation, found = self._checked(query), self._hints(query)
        self._say(found.certain)
        if found.guessed and not self._awaited(lambda: relation.limit(1).fetchall(), query):
            self._say(found.guessed)
        return relation

    def _hints(self, query: str) -> Hints:
        texts = texts_in(query) if self._tell else []
        return hints(texts, self._labels) if texts and self._labels else Hints()

    def _say(self, lines: Sequence[str]) -> None:
        for line in lines:
            if self._tell:
                self._tell(line)

    @cached_property
    def _labels(self) -> frozenset[str]:
        """All labels in the tables; none where they cannot be read. Those of other views are of these two."""
        asked = [
            f"SELECT DISTINCT {name} FROM {view}"
            for view in ("cells", "training_runs")
            if view in self._columns and view not in self.damaged
            for name in COLUMNS
            if name in self._columns[view]
        ]
        try:
            rows = self._connection.sql(" UNION ALL ".join(asked)).fetchall() if asked else []
        except duckdb.Error:
            return frozenset()
        return frozenset(label for (label,) in rows if label is not None)

    def _checked(self, query: str) -> duckdb.DuckDBPyRelation:
        try:
            check_reads(self._connection.cursor(), query)
            return self._bound(query)
        except duckdb.Error as error:
            raise self._refusal(error, query) from None

    def _bound(self, query: str) -> duckdb.DuckDBPyRelation:
        try:
            return self._connection.sql(as_numbers(self._connection.cursor(), query))
        except duckdb.Error:  # what is wrong is to be said of the text as it was written
            return self._connection.sql(query)

    def answer(self, query: str, most: int | None = None) -> Answer:
        """The same in batches of rows, or the first ``most`` rows of it.

        Raises WinitError as ``sql`` does, and while it runs. Ctrl-C is heard meanwhile. The rows are to be
        read to the end before the next query.
        """
        relation, found = self._checked(query), self._hints(query)
        self._say(found.certain)
        if most is not None:
            relation = relation.limit(most)
        reader = self._awaited(lambda: relation.to_arrow_reader(_ROWS_OF_A_BATCH), query)

        def batches() -> Iterator[pa.RecordBatch]:
            rows = 0
            while (batch := self._awaited(lambda: next(reader, None), query)) is not None:
                rows += batch.num_rows
                yield batch
            self._say([] if rows else found.guessed)

        return Answer(reader.schema, batches())

    def count(self, query: str) -> int:
        """How many rows it gives. Raises WinitError as ``answer`` does."""
        relation = self._checked(query)
        ((rows,),) = self._awaited(lambda: relation.aggregate("count(*)").fetchall(), query)
        return int(rows)

    def _awaited(self, work: Callable[[], _Result], query: str) -> _Result:
        """What ``work`` gives. DuckDB hears no signal while it computes, so it does that in a thread."""
        with ThreadPoolExecutor(1) as pool:
            computing = pool.submit(work)
            try:
                return computing.result()
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise self._refusal(error, query) from None
            except BaseException:  # Ctrl-C
                self._connection.interrupt()
                raise

    @property
    def _shelf(self) -> Shelf:
        nothing = dict.fromkeys(OF_CELLS, TRAINING_ALONE) if self.trains_alone else {}
        return Shelf(self._columns, self.missing, self.damaged, nothing, self._texts)

    def _refusal(self, error: Exception, query: str) -> WinitError:
        self.check_columns()
        for view, line in self.damaged.items():
            if _names(query, view):
                return WinitError(line)
        asked = [view for view in self.views if _names(query, view)]
        if (damage := self._damage(error, asked)) is not None:
            return WinitError(damage)
        return WinitError(refusal(str(error), self._shelf, query))


class _DamagedError(Exception):
    """A file that cannot be read, or is not what its name says."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")


def _names(query: str, view: str) -> bool:
    return re.search(rf"\b{view}\b", query, re.IGNORECASE) is not None


def _check_ends(path: Path) -> None:
    """Raise _DamagedError where a file does not begin and end as Parquet does."""
    if not path.is_file():
        raise _DamagedError(path, "no regular file")
    try:
        with path.open("rb") as file:
            begins, size = file.read(len(_MAGIC)), file.seek(0, 2)
            file.seek(max(size - len(_MAGIC), 0))
            ends = file.read()
    except OSError as error:
        raise _DamagedError(path, str(error.strerror)) from None
    if not size:
        raise _DamagedError(path, "empty")
    if begins != _MAGIC or ends != _MAGIC:
        raise _DamagedError(path, "cut off" if begins == _MAGIC else "no Parquet file")


def _check_table(path: Path) -> None:
    try:
        check_table(path)
    except DamagedError as error:
        raise _DamagedError(path, error.why) from None


def _plain(schema: pa.Schema) -> pa.Schema:
    """The same, words as plain strings, as DuckDB reads them."""
    return pa.schema(
        [(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in schema]
    )


def maker(view: str, results: Results) -> str:
    """The command that makes a view."""
    if view in {"summary", "answers", "ranking", "claims"}:
        return f"`winit {'claims' if view == 'claims' else 'summarize'} --results {results.folder}`"
    step = {"theory": "theory", "training": "train", "training_runs": "train"}.get(view, "collect")
    return f"`winit {step} --config {results.folder / 'config.yaml'}`"


def quoted(value: str | float) -> str:
    """An SQL literal."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
