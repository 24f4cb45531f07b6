"""From the store's parts to the dataset that people query: layers/*.parquet and cells.parquet."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from winit.errors import WinitError
from winit.sweep.engine import missing
from winit.sweep.layout import Results
from winit.sweep.schema import CELLS, LAYERS, SORT_KEYS
from winit.sweep.store import Store
from winit.sweep.verdicts import EVIDENCE, Thresholds, verdict_columns

_ROW_GROUP = 64 * 1024  # rows: what a query on one (activation, initializer) has to read at least
_FILE_BYTES = 200_000_000


class IncompleteError(WinitError):
    """Planned cells are missing from the store; the message says how many and how to go on."""


def collect(results: Results, thresholds: Thresholds) -> None:
    """Write ``layers/*.parquet`` and ``cells.parquet`` for the cells of ``plan``.

    Every planned cell is there exactly once, failed ones in ``cells`` alone. Raises IncompleteError where
    one is missing; then what was there stays, and the shards count as unfinished.
    """
    plan, store = results.read_plan(), Store(results.parts)
    index = _planned(plan, _verified(store))
    todo = missing(plan, index)
    if todo.num_rows:
        results.forget_shards()
        raise IncompleteError(
            f"{todo.num_rows} of {plan.num_rows} planned cells are not in the store"
            " yet; run the sweep again, it computes only those"
        )
    with tempfile.TemporaryDirectory(prefix=".collect-", dir=results.folder) as scratch:
        folder = Path(scratch)
        with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as database:
            database.register("plan", plan)
            database.register("store_index", index)
            (folder / "layers").mkdir()
            _write_parts(_layers(database, store, index), LAYERS, folder / "layers")
            written = [str(path) for path in sorted((folder / "layers").glob("*.parquet"))]
            database.read_parquet(written).create_view("layers")
            _write_file(_cells(database, thresholds), CELLS, folder / "cells.parquet")
        _replace(folder / "layers", results.layers)
        (folder / "cells.parquet").replace(results.cells)


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


def _layers(database: duckdb.DuckDBPyConnection, store: Store, index: pa.Table) -> Iterator[pa.RecordBatch]:
    """Layer rows of the planned cells, sorted, each cell from the one part that counts."""
    parts = [str(store.folder / part) for part in index["part"].unique().to_pylist()]
    if not parts:
        return iter(())
    database.read_parquet(parts, filename=True).create_view("parts")
    columns = ", ".join(f"parts.{name}" for name in LAYERS.names)
    order = ", ".join((*SORT_KEYS, "layer"))
    relation = database.sql(f"""
        SELECT {columns} FROM parts
        JOIN store_index ON parts.cell_id = store_index.cell_id
                        AND parse_filename(parts.filename) = store_index.part
        SEMI JOIN plan ON parts.cell_id = plan.cell_id
        WHERE store_index.status = 'ok'
        ORDER BY {order}
    """)
    return _batches(relation)


def _cells(database: duckdb.DuckDBPyConnection, thresholds: Thresholds) -> Iterator[pa.RecordBatch]:
    return _batches(
        database.sql(f"""
        WITH evidence AS (SELECT cell_id, {EVIDENCE} FROM layers GROUP BY cell_id),
        judged AS (SELECT *, {verdict_columns(thresholds)} FROM evidence)
        SELECT {", ".join(CELLS.names)}
        FROM plan JOIN store_index USING (cell_id) LEFT JOIN judged USING (cell_id)
        ORDER BY {", ".join(SORT_KEYS)}
        """)
    )


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
