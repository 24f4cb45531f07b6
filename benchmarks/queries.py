"""The results as an analyst asks them: ten million layer rows through ``winit.findings.database``."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Benchmark, seconds
from benchmarks.synthetic import grid, rows_of
from winit.findings.database import Database
from winit.sweep.collect import write_layers
from winit.sweep.layout import Results
from winit.sweep.plan import make_plan
from winit.sweep.schema import SORT_KEYS

_CELLS = 1_000_000
_GROUP_ROWS = 64 * 1024


@contextmanager
def _results() -> Iterator[tuple[Path, pa.Table]]:
    """A folder with a layers dataset of ten million rows, without histograms, and its plan."""
    plan = make_plan(grid(_CELLS, histograms=False))
    plan = plan.cast(_plain(plan.schema)).sort_by([(name, "ascending") for name in SORT_KEYS])
    with tempfile.TemporaryDirectory(prefix="winit-") as folder:
        results = Results(Path(folder))
        results.layers.mkdir()
        write_layers(_groups(plan), results.layers)
        yield results.folder, plan


def _plain(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])


def _groups(plan: pa.Table) -> Iterator[pa.Table]:
    """The layer rows of a sorted plan, a row group at a time."""
    generator = np.random.default_rng(0)
    cells = _GROUP_ROWS // 11
    for start in range(0, plan.num_rows, cells):
        yield rows_of(plan.slice(start, cells), generator)


def _means(rounds: int) -> Iterator[float]:
    query = "SELECT initializer, activation, layer, avg(h_std) FROM layers GROUP BY ALL"
    with _results() as (folder, _):
        database = Database(folder)
        yield from _timed(lambda: len(database.sql(query).fetchall()), 10 * 5 * 19, rounds)


def _cell(rounds: int) -> Iterator[float]:
    with _results() as (folder, plan):
        database = Database(folder)
        # Another cell each time, from all over the files.
        places = np.random.default_rng(1).integers(0, plan.num_rows, rounds + 1)
        ids = itertools.cycle(plan["cell_id"].take(pa.array(places)).to_pylist())

        def look_up() -> int:
            rows = database.sql(f"SELECT * FROM layers WHERE cell_id = '{next(ids)}'").fetchall()
            return len({row[0] for row in rows})

        yield from _timed(look_up, 1, rounds)


def _timed(query: Callable[[], int], answer: int, rounds: int) -> Iterator[float]:
    """Seconds of each call but the first; raises RuntimeError where the answer is wrong."""
    if query() != answer:
        raise RuntimeError("the query does not give what it should")
    for _ in range(rounds):
        yield seconds(query)


BENCHMARKS = (
    Benchmark(
        "query-means",
        "mean h_std by (initializer, activation, layer) over 10 million layer rows (without histograms)",
        2.0,
        "at most",
        "s",
        _means,
    ),
    Benchmark(
        "query-cell",
        "all columns of one cell by its id, of a million cells in 10 million layer rows (without histograms)",
        0.2,
        "at most",
        "s",
        _cell,
    ),
)
