"""From the store's parts to the dataset that people query.

Of cells layers/*.parquet and cells.parquet; of training runs training.parquet and training_runs.parquet.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from winit.errors import WinitError
from winit.sweep.engine import missing
from winit.sweep.kinds import kind_of
from winit.sweep.layout import Results
from winit.sweep.schema import CELLS, LAYERS, RUN_SORT_KEYS, SORT_KEYS, TRAINING, TRAINING_RUNS
from winit.sweep.store import Store
from winit.sweep.verdicts import (
    EVIDENCE,
    TRAINING_EVIDENCE,
    Thresholds,
    training_verdict_columns,
    verdict_columns,
)

_ROW_GROUP = 64 * 1024  # rows: what a query on one (activation, initializer) has to read at least
_FILE_BYTES = 200_000_000


class IncompleteError(WinitError):
    """Planned cells are missing from the store; the message says how many and how to go on."""


def collect(results: Results, thresholds: Thresholds) -> None:
    """Write ``layers/*.parquet`` and ``cells.parquet`` for the cells of the plan.

    Every planned cell is there exactly once, failed ones in ``cells`` alone. Raises IncompleteError where
    one is missing; then what was there stays, and the shards count as unfinished.
    """
    with _Collection(results, results.folder) as collection:
        layers = collection.scratch / "layers"
        layers.mkdir()
        _write_parts(collection.rows(LAYERS, (*SORT_KEYS, "layer")), LAYERS, layers)
        collection.view("layers", sorted(layers.glob("*.parquet")))
        cells = collection.scratch / "cells.parquet"
        of_cells = collection.cells("layers", EVIDENCE, verdict_columns(thresholds), CELLS, SORT_KEYS)
        _write_file(of_cells, CELLS, cells)
        _replace(layers, results.layers)
        cells.replace(results.cells)


def collect_training(results: Results, thresholds: Thresholds) -> None:
    """Write ``training.parquet`` and ``training_runs.parquet``; all else as ``collect``."""
    with _Collection(results.training_sweep, results.folder) as collection:
        training = collection.scratch / "training.parquet"
        _write_file(collection.rows(TRAINING, (*RUN_SORT_KEYS, "step", "layer")), TRAINING, training)
        collection.view("training", [training])
        runs = collection.scratch / "training_runs.parquet"
        verdict = training_verdict_columns(thresholds)
        of_runs = collection.cells("training", TRAINING_EVIDENCE, verdict, TRAINING_RUNS, RUN_SORT_KEYS)
        _write_file(of_runs, TRAINING_RUNS, runs)
        training.replace(results.training)
        runs.replace(results.training_runs)


class _Collection:
    """A DuckDB connection with the plan of a sweep and the index of its store, and a folder to write to."""

    def __init__(self, sweep: Results, folder: Path) -> None:
        plan, self._store = sweep.read_plan(), Store(sweep.parts)
        self._index = _planned(plan, _verified(self._store))
        todo = missing(plan, self._index)
        if todo.num_rows:
            sweep.forget_shards()
            raise IncompleteError(
                f"{todo.num_rows} of {plan.num_rows} planned {kind_of(plan).unit} are not in the store"
                " yet; run the sweep again, it computes only those"
            )
        self._folder = tempfile.TemporaryDirectory(prefix=".collect-", dir=folder)
        self.scratch = Path(self._folder.name)
        self._database = duckdb.connect(config={"temp_directory": str(self.scratch / "spill")})
        self._database.register("plan", plan)
        self._database.register("store_index", self._index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._folder.cleanup()

    def rows(self, schema: pa.Schema, order: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Rows of the planned cells, sorted, each cell from the one part that counts."""
        parts = [str(self._store.folder / part) for part in self._index["part"].unique().to_pylist()]
        if not parts:
            return iter(())
        self._database.read_parquet(parts, filename=True).create_view("parts")
        columns = ", ".join(f"parts.{name}" for name in schema.names)
        relation = self._database.sql(f"""
            SELECT {columns} FROM parts
            JOIN store_index ON parts.cell_id = store_index.cell_id
                            AND parse_filename(parts.filename) = store_index.part
            SEMI JOIN plan ON parts.cell_id = plan.cell_id
            WHERE store_index.status = 'ok'
            ORDER BY {", ".join(order)}
        """)
        return _batches(relation)

    def view(self, name: str, files: Sequence[Path]) -> None:
        """Have files that were written read as a view."""
        self._database.read_parquet([str(path) for path in files]).create_view(name)

    def cells(
        self, rows: str, evidence: str, verdict: str, schema: pa.Schema, order: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """A row for each planned cell: what became of it, and the verdict by the evidence in ``rows``."""
        return _batches(
            self._database.sql(f"""
            WITH evidence AS (SELECT cell_id, {evidence} FROM {rows} GROUP BY cell_id),
            judged AS (SELECT *, {verdict} FROM evidence)
            SELECT {", ".join(schema.names)}
            FROM plan JOIN store_index USING (cell_id) LEFT JOIN judged USING (cell_id)
            ORDER BY {", ".join(order)}
            """)
        )


def _verified(store: Store) -> pa.Table:
    """The store's index, of parts whose content is sound; others are set aside."""
    while True:
        index = store.index()
        paths = [store.verified(part) for part in index["part"].unique().to_pylist()]
        if None not in paths:
            return index


def _planned(plan: pa.Table, index: pa.Table) -> pa.Table:
    """What the index says of planned cells; parts of others, perhaps of other versions, are not read."""
    return index.filter(pc.is_in(index["cell_id"], plan["cell_id"].combine_chunks()))


def _batches(relation: duckdb.DuckDBPyRelation) -> Iterator[pa.RecordBatch]:
    return iter(relation.to_arrow_reader(_ROW_GROUP))


def _write_file(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _write_parts(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path) -> None:
    """Write files of about ``_FILE_BYTES``, at least one."""
    batches = iter(batches)
    for number in range(1_000_000):
        path = folder / f"layers-{number:04d}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))
                if path.stat().st_size >= _FILE_BYTES:
                    break
            else:
                return


def _replace(new: Path, old: Path) -> None:
    """Put a folder in the place of another."""
    if old.exists():
        shutil.rmtree(old)
    new.rename(old)
