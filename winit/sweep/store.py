"""The store of finished cells: ``results/parts/``, append-only, safe against a crash at any moment.

A part is one Parquet file: the rows of some cells, and in its footer a record of each. It is
written aside, flushed to the disk and renamed, so that a part is there whole or not at all; its name is
the digest of its content, so that writers never collide and damage is noticed. Nothing is ever changed
in place: a cell that was computed twice stands in two parts, and the first by name counts.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from winit.sweep.files import replacing

_RECORDS = b"winit.cells"
_INDEX = pa.schema(
    [
        ("cell_id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("seconds", pa.float64()),
        ("kernel_version", pa.string()),
        ("packages", pa.string()),
        ("part", pa.string()),
    ]
)


@dataclass(frozen=True)
class Record:
    """What became of one cell. ``error`` is None where it finished."""

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


class Store:
    """The parts under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        ``set-aside/`` and do not count.
        """
        paths = sorted(path for path in self.folder.glob("*.parquet") if path.is_file())
        with ThreadPoolExecutor(8) as threads:
            read = list(threads.map(_records, paths))
        for path, table in zip(paths, read, strict=True):
            if table is None:
                self.set_aside(path)
        table = pa.concat_tables([_INDEX.empty_table(), *(t for t in read if t is not None)])
        # "ok" sorts behind "failed", parts by name: keep the first row of each cell.
        table = table.sort_by([("cell_id", "ascending"), ("status", "descending"), ("part", "ascending")])
        ids = table["cell_id"].to_pylist()
        firsts = [i for i, cell in enumerate(ids) if i == 0 or cell != ids[i - 1]]
        return table.take(pa.array(firsts, pa.int64()))

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
        aside.mkdir(exist_ok=True)
        path.rename(aside / path.name)


def _encoded(part: Part) -> bytes:
    footer = {
        "kernel_version": part.version,
        "packages": part.packages,
        "cell_id": [record.cell_id for record in part.records],
        "status": [record.status for record in part.records],
        "error": [record.error for record in part.records],
        "seconds": [round(record.seconds, 6) for record in part.records],
    }
    metadata = {_RECORDS: json.dumps(footer).encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(part.rows.replace_schema_metadata(metadata), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _records(path: Path) -> pa.Table | None:
    """The records in a part's footer, or None where this is no part."""
    try:
        footer = json.loads(pq.read_metadata(path).metadata[_RECORDS])
        count = len(footer["cell_id"])
        columns = {
            name: [footer[name]] * count if isinstance(footer[name], str) else footer[name]
            for name in _INDEX.names
            if name != "part"
        }
        return pa.table(columns | {"part": [path.name] * count}, schema=_INDEX)
    except (pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
