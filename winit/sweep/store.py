"""The store of finished cells: ``results/parts/``, append-only, safe against a crash at any moment.

A part is one Parquet file: the rows of some cells, and in its footer a record of each. It is
written aside, flushed to the disk and renamed, so that a part is there whole or not at all; its name is
the digest of its content, so that writers never collide and damage is noticed. Nothing is ever changed
in place: a cell that was computed twice stands in two parts, and the first by name counts.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from winit.network.labels import printable
from winit.sweep.files import parquet_options, pattern, refuse_link, replacing

_RECORDS = b"winit.cells"
_ON_THE_WAY = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_INDEX = pa.schema(
    [
        ("cell_id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("seconds", pa.float64()),
        ("kernel_version", pa.string()),
        ("packages", pa.dictionary(pa.int32(), pa.string())),
        ("part", pa.string()),
    ]
)
# So many footers, and so many of their cells, are in memory as Python's objects.
_PARTS_TOGETHER, _CELLS_TOGETHER = 1024, 32 * 1024


@dataclass(frozen=True)
class Record:
    """What became of one cell. ``error`` is None where it finished; what is stored of it is ``printable``."""

    cell_id: str
    seconds: float
    error: str | None = None

    @property
    def status(self) -> str:
        """ok, or failed."""
        return "ok" if self.error is None else "failed"


@dataclass(frozen=True)
class Part:
    """What goes into one file: rows of the cells that finished, a record of every cell."""

    rows: pa.Table
    records: list[Record]
    version: str
    """Of the numerics."""
    packages: str

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, the rows are one compressed buffer.

        By itself Arrow would pickle every column's every buffer, a message frame each, which costs the
        receiver, one process for all workers, most of its time.
        """
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.rows.schema, options=_ON_THE_WAY) as stream:
            stream.write_table(self.rows)
        return _unpickled, (sink.getvalue(), self.records, self.version, self.packages)


def _unpickled(rows: pa.Buffer, *others: Any) -> Part:
    return Part(pa.ipc.open_stream(rows).read_all(), *others)


class Store:
    """The parts under one folder."""

    def __init__(self, folder: Path, columns: Sequence[str] = ()) -> None:
        """Of parts only those count whose rows have all of these columns."""
        self.folder = folder
        self._columns = tuple(columns)

    def write(self, part: Part) -> Path:
        """Add a part. When this returns, it is on the disk.

        Raises OSError where it cannot be written; then nothing was.
        """
        content = _encoded(part)
        path = self.folder / f"{_digest(content)}.parquet"
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        return path

    def index(self) -> pa.Table:
        """One row for each cell: status, error, seconds, versions, and the part it is in.

        A cell that finished in any part is ``ok``. Files that are not parts are moved to
        ``set-aside/`` and do not count. Parts that lack a column, as of an older version, stay where they are
        and do not count: their cells are computed anew. Raises OSError where a file cannot be read.
        """
        table = pa.concat_tables([_INDEX.empty_table(), *self._recorded()]).unify_dictionaries()
        # "ok" sorts behind "failed", parts by name: keep the first row of each cell.
        table = table.sort_by([("cell_id", "ascending"), ("status", "descending"), ("part", "ascending")])
        ids = table["cell_id"].combine_chunks()
        first = pa.array([True] * min(len(ids), 1), pa.bool_())
        return table.filter(pa.concat_arrays([first, pc.not_equal(ids[1:], ids[:-1])]))

    def _recorded(self) -> Iterator[pa.Table]:
        """The rows of the index, of part after part; cells may be there repeatedly."""
        columns: dict[str, list[Any]] = {name: [] for name in _INDEX.names}
        paths = self._paths()
        for start in range(0, len(paths), _PARTS_TOGETHER):
            some = paths[start : start + _PARTS_TOGETHER]
            footers = _footers(some, self._columns)
            for path in some:
                try:
                    footer, whole = footers.pop(path)
                    records = _records(footer)
                except (KeyError, TypeError, ValueError):
                    self.set_aside(Path(path))
                    continue
                if not whole:
                    continue
                records["part"] = [Path(path).name] * len(records["cell_id"])
                for name in _INDEX.names:
                    columns[name] += records[name]
                if len(columns["part"]) >= _CELLS_TOGETHER:
                    yield pa.table(columns, schema=_INDEX)
                    columns = {name: [] for name in _INDEX.names}
        yield pa.table(columns, schema=_INDEX)

    def _paths(self) -> list[str]:
        """What may be a part, in order."""
        try:
            with os.scandir(self.folder) as entries:
                found = [e.path for e in entries if e.name.endswith(".parquet") and e.is_file()]
        except FileNotFoundError:
            return []
        return sorted(found)

    def verified(self, part: str) -> Path | None:
        """The path of a part whose content is what its name says, else None, and it is set aside."""
        path = self.folder / part
        if _digest(path.read_bytes()) == path.stem:
            return path
        self.set_aside(path)
        return None

    def set_aside(self, path: Path) -> None:
        """Move a file that is not a part out of the way; nothing is deleted."""
        aside = self.folder / "set-aside"
        refuse_link(aside)
        aside.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # another shard was faster
            path.rename(aside / path.name)


def _encoded(part: Part) -> bytes:
    footer = {
        "kernel_version": part.version,
        "packages": part.packages,
        "cell_id": [record.cell_id for record in part.records],
        "status": [record.status for record in part.records],
        "error": _messages(record.error for record in part.records),
        "seconds": [round(record.seconds, 6) for record in part.records],
    }
    # Descriptions and statistics are for people and queries, which read the dataset; here they would
    # only make the footers, of which the index is made, slow to read.
    fields = [pa.field(field.name, field.type) for field in part.rows.schema]
    bare = pa.schema(fields, metadata={_RECORDS: json.dumps(footer).encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(part.rows.cast(bare), sink, write_statistics=False, **parquet_options(bare))
    return sink.getvalue().to_pybytes()


def _footers(paths: Sequence[str], columns: Sequence[str]) -> dict[str, tuple[bytes, bool]]:
    """The footer of each part among ``paths``, and whether it has these columns; of others there is none.

    DuckDB reads thousands a second; pyarrow would make an Arrow schema of each.
    """
    if not paths:
        return {}
    # DuckDB says them back as it found them, whole.
    known = {str(Path(path).absolute()): path for path in paths}
    those = {"paths": [pattern(Path(path)) for path in paths]}
    try:
        with duckdb.connect() as database:
            found = database.execute(_RECORDS_IN, those | {"key": _RECORDS}).fetchall()
            whole = set(database.execute(_HAVING, those | {"columns": list(columns)}).fetchall())
            return {known[name]: (value, (name,) in whole) for name, value in found}
    except duckdb.Error as error:
        # One bad file spoils the query: look for it by halves.
        if len(paths) > 1:
            middle = len(paths) // 2
            return _footers(paths[:middle], columns) | _footers(paths[middle:], columns)
        if isinstance(error, duckdb.IOException) and Path(paths[0]).exists():
            raise OSError(str(error)) from None
        return {}


_RECORDS_IN = "SELECT file_name, value FROM parquet_kv_metadata($paths) WHERE key = $key"
_HAVING = """SELECT file_name FROM parquet_schema($paths)
    GROUP BY file_name HAVING list_has_all(list(name), $columns)"""


def _records(footer: bytes) -> dict[str, list[Any]]:
    """The columns of the index in a footer. Raises KeyError, TypeError or ValueError where it is none."""
    read = json.loads(footer)
    count = len(read["cell_id"])
    columns = {name: read[name] for name in _INDEX.names if name != "part"}
    columns = {name: [value] * count if isinstance(value, str) else value for name, value in columns.items()}
    if any(len(column) != count for column in columns.values()):
        raise ValueError("columns of different lengths")
    # Older versions kept messages as they came, of any length and with what no table can hold.
    return columns | {"error": _messages(columns["error"])}


def _messages(errors: Iterable[str | None]) -> list[str | None]:
    """What is kept of what cells say: what every reader can read."""
    return [None if error is None else printable(error) for error in errors]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
