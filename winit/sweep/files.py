"""Files that are there whole or not at all, and that never lie where a link leads."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from winit.errors import WinitError

TEMPORARY = ".tmp"
_SECONDS_UNTIL_FORGOTTEN = 3600.0
# What DuckDB takes for a pattern, also in a list of files.
_SIGNS = "*?["


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` when all went well.

    By then it is on the disk. Where writing fails, ``path`` stays as it was and nothing else is left. Where
    ``path`` is a link, the link is replaced, never what it leads to. An OSError names ``path``.
    """
    with replacing_all() as new:
        yield new(path)


@contextmanager
def replacing_all() -> Iterator[Callable[[Path], Path]]:
    """As ``replacing``, for files that belong together: no one takes its place before all are on the disk.

    What it gives is a function from a path to the path beside it to write to.
    """
    temporaries: dict[Path, Path] = {}

    def new(path: Path) -> Path:
        folder_at(path.parent)
        temporaries[path] = path.with_name(f".{uuid.uuid4().hex}{TEMPORARY}")
        return temporaries[path]

    try:
        yield new
        for temporary in temporaries.values():
            flush(temporary)
        for path, temporary in temporaries.items():
            temporary.replace(path)
        for folder in dict.fromkeys(path.parent for path in temporaries):
            flush(folder)
    except OSError as error:
        raise _naming(error, temporaries) from None
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)


def _naming(error: OSError, temporaries: dict[Path, Path]) -> OSError:
    """The same error, of the file that people know rather than of the one beside it."""
    if error.errno is None or not temporaries:
        return error
    meant = {str(temporary): path for path, temporary in temporaries.items()}
    named = str(error.filename) if error.filename else ""
    path = meant.get(named, next(reversed(temporaries)) if not named else None)
    return error if path is None else type(error)(error.errno, os.strerror(error.errno), str(path))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError in the body that names no file, as Arrow's do not, names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename:
            raise
        raise type(error)(error.errno, os.strerror(error.errno), str(path)) from None


def folder_at(path: Path) -> Path:
    """A folder, made where it is not there yet."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def refuse_link(path: Path) -> None:
    """Raise WinitError where ``path``, which lies in a results folder and is to be written to, is a link."""
    if path.is_symlink():
        raise WinitError(
            f"{path} is a symbolic link to {path.readlink()}, and what winit writes stays in the results"
            f" folder; remove the link (rm {path}), or make the whole results folder one"
        )


def pattern(path: Path) -> str:
    """``path`` as DuckDB takes it in a list of files to read: a pattern that it alone matches."""
    # Absolute: DuckDB would take a ~ at the beginning for somebody's home.
    whole = str(path.absolute())
    made = whole.translate({ord(sign): f"[{sign}]" for sign in _SIGNS})
    if made != whole and "\\" in whole:  # which in a pattern separates folders, and cannot be escaped
        raise WinitError(
            f"{path} has a backslash and one of {_SIGNS} in its name; take another results folder"
        )
    return made


def remove_forgotten(folder: Path) -> None:
    """Remove what writers that were killed left in ``folder``; what is young may still be written to."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(FileNotFoundError):  # a writer was through with it
            if time.time() - path.lstat().st_mtime > _SECONDS_UNTIL_FORGOTTEN:
                path.unlink()


def flush(path: Path) -> None:
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
