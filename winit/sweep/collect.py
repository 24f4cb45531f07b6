"""From the store's parts to the dataset that people query.

Of cells layers/*.parquet and cells.parquet; of training runs training.parquet and training_runs.parquet.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from winit.errors import WinitError
from winit.sweep.files import flush, naming, parquet_options, pattern
from winit.sweep.kinds import kind_of, store_of
from winit.sweep.layout import Results
from winit.sweep.locks import exclusive
from winit.sweep.origins import LAYERS_KEY, carried
from winit.sweep.schema import CELLS, LAYERS, RUN_SORT_KEYS, SORT_KEYS, TRAINING, TRAINING_RUNS
from winit.sweep.seals import BLANK_SEAL, seal
from winit.sweep.sorting import PLACE, Source, in_order, regrouped
from winit.sweep.status import missing
from winit.sweep.store import Store
from winit.sweep.verdicts import (
    EVIDENCE,
    TRAINING_EVIDENCE,
    Thresholds,
    training_verdict_columns,
    verdict_columns,
)

# Rows of a row group. A query on one (activation, initializer) reads the groups that hold it: where there are
# enough rows, groups end where these change.
_LEAST_ROWS, _MOST_ROWS = 16 * 1024, 64 * 1024
_CELLS_OF_GROUP = 8 * 1024  # of eight layers and more; of shallower ones the filter is less sharp
_FILE_BYTES = 200_000_000
# Of the memory that DuckDB may take for the verdicts; beyond it, it works on the disk.
_MEMORY = "256MB"
_SCRATCH = ".collect-"


class IncompleteError(WinitError):
    """Planned cells are missing from the store; the message says how many and how to go on."""


def collect(results: Results, thresholds: Thresholds) -> None:
    """Write ``layers/*.parquet`` and ``cells.parquet`` for the cells of the plan.

    Every planned cell is there exactly once, failed ones in ``cells`` alone. Raises IncompleteError where
    one is missing; then what was there stays, and the shards count as unfinished.
    """
    with naming(results.folder), _Collection(results, SORT_KEYS) as collection:
        layers = collection.scratch / "layers"
        layers.mkdir()
        write_layers(collection.rows(LAYERS, ("layer",)), layers, collection.belongs | BLANK_SEAL)
        files = sorted(layers.glob("*.parquet"))
        for path in files:
            seal(path)
        collection.view("layers", files)
        cells = collection.scratch / "cells.parquet"
        verdict = verdict_columns(thresholds, collection.activations)
        beside = {LAYERS_KEY: str(len(files)).encode()}
        of_cells = CELLS.with_metadata(collection.belongs | beside | BLANK_SEAL)
        _write_file(collection.cells("layers", EVIDENCE, verdict, CELLS), of_cells, cells)
        seal(cells)
        for path in (*files, layers, cells):
            flush(path)
        _replace(layers, results.layers, collection.scratch)
        cells.replace(results.cells)
        flush(results.folder)


def collect_training(results: Results, thresholds: Thresholds) -> None:
    """Write ``training.parquet`` and ``training_runs.parquet``; all else as ``collect``."""
    with naming(results.folder), _Collection(results.training_sweep, RUN_SORT_KEYS) as collection:
        training = collection.scratch / "training.parquet"
        of_runs = TRAINING.with_metadata(collection.belongs | BLANK_SEAL)
        _write_file(collection.rows(TRAINING, ("step", "layer")), of_runs, training)
        seal(training)
        collection.view("training", [training])
        runs = collection.scratch / "training_runs.parquet"
        verdict = training_verdict_columns(thresholds, collection.activations)
        judged = TRAINING_RUNS.with_metadata(collection.belongs | BLANK_SEAL)
        _write_file(collection.cells("training", TRAINING_EVIDENCE, verdict, TRAINING_RUNS), judged, runs)
        seal(runs)
        for path in (training, runs):
            flush(path)
        training.replace(results.training)
        runs.replace(results.training_runs)
        flush(results.folder)


class _Collection:
    """The plan of a sweep in the order of the tables, the index of its store, and a folder to write to."""

    def __init__(self, sweep: Results, order: Sequence[str]) -> None:
        with ExitStack() as stack:
            self._open(stack, sweep, order)
            self._exits = stack.pop_all()

    def _open(self, stack: ExitStack, sweep: Results, order: Sequence[str]) -> None:
        plan = sweep.read_plan()
        self._store = store_of(sweep, plan)
        if stack.enter_context(exclusive(sweep.lock("collect"), "collects the same results")):
            # Of one that was killed: nobody else is at it. A link is none of them.
            for forgotten in sweep.folder.glob(f"{_SCRATCH}*"):
                if not forgotten.is_symlink():
                    shutil.rmtree(forgotten)
        index = _verified(self._store)
        todo = missing(plan, index)
        if todo.num_rows:
            sweep.forget_shards()
            raise IncompleteError(
                f"{todo.num_rows} of {plan.num_rows} planned {kind_of(plan).unit} are not in the store"
                " yet; run the sweep again, it computes only those"
            )
        self.belongs = carried(plan.schema.metadata)
        """Metadata of the tables: the plan's origin."""
        self._plan = _ordered(plan, order)
        self._order = order
        # Parts of other cells, perhaps of other versions, are not read.
        place = pc.index_in(index["cell_id"], self._plan["cell_id"].combine_chunks())
        self._index = index.append_column(PLACE, place).filter(pc.is_valid(place))
        folder = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=sweep.folder)
        self.scratch = Path(stack.enter_context(folder))
        spill: dict[str, Any] = {"temp_directory": str(self.scratch / "spill"), "memory_limit": _MEMORY}
        self._database = stack.enter_context(duckdb.connect(config=spill))
        self._database.register("plan", self._plan)
        self._database.register("store_index", self._index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def rows(self, schema: pa.Schema, within: Sequence[str]) -> Iterator[pa.Table]:
        """Rows of the planned cells as row groups: sorted, each cell from the one part that counts.

        What the plan says of a cell is taken from there. ``within`` is the order of a cell's rows.
        """
        boxes = self.scratch / "boxes"
        boxes.mkdir()
        planned = [name for name in schema.names if name in self._plan.column_names]
        measured = [name for name in schema.names if name not in planned]
        # About: how many steps a run records is much the same for all.
        weights = self._plan["depth"].to_numpy() + 1.0
        tables = in_order(self._sources(), weights, measured, within, boxes)
        for rows in regrouped(tables, self._pairs(), _LEAST_ROWS, _MOST_ROWS):
            of_plan = self._plan.select(planned).take(rows[PLACE])
            columns = {name: of_plan[name] if name in planned else rows[name] for name in schema.names}
            # How a table is chunked shows in the bytes of the file.
            yield pa.table(columns).combine_chunks().cast(schema)

    @property
    def activations(self) -> list[str]:
        """The labels of those in the plan."""
        labels: list[str] = self._plan["activation"].unique().to_pylist()
        return labels

    def _sources(self) -> list[Source]:
        """The parts with the cells that finished in them."""
        finished = self._index.filter(pc.equal(self._index["status"], "ok")).sort_by("part")
        names, counts = np.unique(finished["part"].to_numpy(), return_counts=True)
        ends = np.cumsum(counts)
        cells, places = finished["cell_id"].combine_chunks(), finished[PLACE].to_numpy().astype(np.int64)
        return [
            Source(self._store.folder / name, cells[end - count : end], places[end - count : end])
            for name, count, end in zip(names, counts, ends, strict=True)
        ]

    def _pairs(self) -> NDArray[np.integer]:
        """A number for each place in the plan, another wherever activation or initializer change."""
        names = [self._plan[name].to_numpy() for name in ("activation", "initializer")]
        return np.cumsum([0, *np.any([name[1:] != name[:-1] for name in names], axis=0)])

    def view(self, name: str, files: Sequence[Path]) -> None:
        """Have files that were written read as a view."""
        self._database.read_parquet([pattern(path) for path in files], hive_partitioning=False).create_view(
            name
        )

    def cells(self, rows: str, evidence: str, verdict: str, schema: pa.Schema) -> Iterator[pa.Table]:
        """A row for each planned cell: what became of it, and the verdict by the evidence in ``rows``."""
        relation = self._database.sql(f"""
            WITH evidence AS (SELECT cell_id, {evidence} FROM {rows} GROUP BY cell_id),
            judged AS (SELECT *, {verdict} FROM evidence)
            SELECT {", ".join(schema.names)}
            FROM plan JOIN store_index USING (cell_id) LEFT JOIN judged USING (cell_id)
            ORDER BY {", ".join(self._order)}
            """)
        for batch in relation.to_arrow_reader(_MOST_ROWS):
            yield pa.Table.from_batches([batch]).cast(schema)


def _verified(store: Store) -> pa.Table:
    """The store's index, of parts whose content is sound; others are set aside."""
    while True:
        index = store.index()
        paths = [store.verified(part) for part in index["part"].unique().to_pylist()]
        if None not in paths:
            return index


def _ordered(plan: pa.Table, order: Sequence[str]) -> pa.Table:
    """The plan in the order of the tables, labels as plain strings."""
    schema = pa.schema(
        [(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in plan.schema]
    )
    return plan.cast(schema).sort_by([(name, "ascending") for name in order]).combine_chunks()


def _write_file(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    with _writer(path, schema) as writer:
        for table in tables:
            writer.write_table(table)


def write_layers(
    tables: Iterable[pa.Table], folder: Path, metadata: Mapping[bytes, bytes] | None = None
) -> None:
    """Write tables with the schema ``LAYERS``, a row group each, to files of about ``_FILE_BYTES``."""
    tables = iter(tables)
    for number in range(1_000_000):
        path = folder / f"layers-{number:04d}.parquet"
        with _writer(path, LAYERS.with_metadata(metadata)) as writer:
            for table in tables:
                writer.write_table(table)
                if path.stat().st_size >= _FILE_BYTES:
                    break
            else:
                return


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # Ids are in no order: what tells a reader which row groups may hold one is a Bloom filter.
    bloom = {"cell_id": {"ndv": _CELLS_OF_GROUP, "fpp": 0.01}}
    return pq.ParquetWriter(path, schema, bloom_filter_options=bloom, **parquet_options(schema))


def _replace(new: Path, old: Path, aside: Path) -> None:
    """Put a folder in the place of another, which goes into the folder ``aside``."""
    if old.exists():
        old.rename(aside / "replaced")
    new.rename(old)
