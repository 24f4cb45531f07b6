"""Files that are there whole or not at all."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

TEMPORARY = ".tmp"
_SECONDS_UNTIL_FORGOTTEN = 3600.0


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` when all went well.

    By then it is on the disk. Where writing fails, ``path`` stays as it was and nothing else is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}{TEMPORARY}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush(path.parent)


def remove_forgotten(folder: Path) -> None:
    """Remove what writers that were killed left in ``folder``; what is young may still be written to."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(FileNotFoundError):  # a writer was through with it
            if time.time() - path.stat().st_mtime > _SECONDS_UNTIL_FORGOTTEN:
                path.unlink()


def _flush(path: Path) -> None:
    """Make what was written, or a folder's list of names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """How tables of this schema are written: what pyarrow's writers take.

    Words get a dictionary. Numbers hardly repeat: to try one costs as much time as all the rest, and makes
    the files larger.
    """
    words = [field.name for field in schema if _is_text(field.type)]
    return {"compression": "zstd", "use_dictionary": words}


def _is_text(type_: pa.DataType) -> bool:
    return pa.types.is_dictionary(type_) or pa.types.is_string(type_)
