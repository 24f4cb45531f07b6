"""The rows of many parts in the order of the plan, in memory that does not grow with them.

As a post office sorts: first every row goes into the box of its stretch of the plan, a file for each; then
box after box is put in order and handed on. DuckDB's own sort holds gigabytes of rows as wide as these.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Places = NDArray[np.int64]

PLACE = "place"
"""The column that says where in the plan a row's cell stands."""

# Of rows in memory: of what is read before it is put into boxes, and of a box, about.
_HELD_BYTES = 64 * 2**20
# More boxes would make each too small to be written at a stretch.
_MOST_BOXES = 512
# Rows in memory ÷ bytes in a part; to find a number of boxes, no more.
_UNPACKED = 4
_READ_ROWS = 16 * 1024
_PACKED = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class Source:
    """A part, and those of its cells that count: their ids, and their places in the plan."""

    path: Path
    cells: pa.Array
    places: Places


def in_order(
    sources: Sequence[Source],
    weights: NDArray[np.float64],
    columns: Sequence[str],
    within: Sequence[str],
    scratch: Path,
) -> Iterator[pa.Table]:
    """The rows of the cells in ``sources``, sorted by place and then by the columns ``within``.

    Tables have ``columns`` and ``PLACE``. ``weights``, for each place in the plan about how many rows, only
    decide how even the boxes are. Boxes are files in the folder ``scratch``, which must be there.
    """
    size = sum(source.path.stat().st_size for source in sources) * _UNPACKED
    number = int(np.clip(size // _HELD_BYTES, 1, _MOST_BOXES))
    filled = np.cumsum(weights)
    box_of_place = np.minimum((filled - weights / 2) / filled[-1:] * number, number - 1).astype(np.int64)
    boxes = [scratch / f"{box}.arrows" for box in range(number)]
    for read in _held(_read(sources, columns)):
        box = box_of_place[read[PLACE].to_numpy()]
        rows = read.take(pa.array(np.argsort(box, kind="stable")))
        ends = np.cumsum(np.bincount(box, minlength=number))
        for path, start, end in zip(boxes, [0, *ends[:-1]], ends, strict=True):
            if end > start:
                _append(rows.slice(start, end - start), path)
    for path in boxes:
        if path.exists():
            yield _sorted(_unboxed(path), (PLACE, *within))
            path.unlink()


def regrouped(
    tables: Iterable[pa.Table], together: NDArray[np.integer], least: int, most: int
) -> Iterator[pa.Table]:
    """The same rows in tables of at least ``least`` rows (but for the last one) and at most ``most``.

    Where it can, a table ends where ``together``, a number for each place, changes: rows for which it is the
    same are in tables of their own as far as that goes. Where tables ended before makes no difference.
    """
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        while sum(piece.num_rows for piece in held) > most:
            whole = pa.concat_tables(held)
            end = _end(together[whole.slice(0, most + 1)[PLACE].to_numpy()], least, most)
            yield whole.slice(0, end)
            held = [whole.slice(end)]
    if held:
        rest = pa.concat_tables(held)
        while rest.num_rows:
            end = min(_end(together[rest.slice(0, most + 1)[PLACE].to_numpy()], least, most), rest.num_rows)
            yield rest.slice(0, end)
            rest = rest.slice(end)


def _end(numbers: NDArray[np.integer], least: int, most: int) -> int:
    """Where the first change at or behind ``least`` is, else ``most``."""
    changes = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    behind = changes[changes >= least]
    return int(behind[0]) if len(behind) else most


def _read(sources: Iterable[Source], columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows that count, part by part, some at a time."""
    for source in sources:
        with pq.ParquetFile(source.path) as file:
            for batch in file.iter_batches(_READ_ROWS, columns=["cell_id", *columns], use_threads=False):
                rows = pa.Table.from_batches([batch])
                cell = pc.index_in(rows["cell_id"], source.cells)
                counts = pc.is_valid(cell)
                places = source.places[cell.filter(counts).to_numpy()]
                yield rows.select(columns).filter(counts).append_column(PLACE, pa.array(places, pa.int64()))


def _held(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of about ``_HELD_BYTES``."""
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if size >= _HELD_BYTES:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def _append(rows: pa.Table, path: Path) -> None:
    with path.open("ab") as file, pa.ipc.new_stream(file, rows.schema, options=_PACKED) as stream:
        stream.write_table(rows)


def _unboxed(path: Path) -> pa.Table:
    pieces = []
    with path.open("rb") as file:
        while file.peek(1):
            with pa.ipc.open_stream(file) as stream:
                pieces.append(stream.read_all())
    return pa.concat_tables(pieces)


def _sorted(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    order = np.lexsort([rows[key].to_numpy() for key in reversed(keys)])
    return rows.take(pa.array(order)).combine_chunks()
