"""Files of arrays that are pushed through networks: ``images.npy``, ``images.npz(array=x_train)``.

They are data and nothing is run of them. They stay where they are: what travels to a worker is the path, and
the digest of what the file held when the config was read, by which a worker knows that it is the same.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from winit.errors import quoted
from winit.network.arrays import Array
from winit.network.inputs.moments import parts_of
from winit.network.labels import LabelError, suggestion

_MOST_NAMED = 10  # arrays that an error lists


@dataclass(frozen=True)
class DataFile:
    """A file of arrays, by the name that a label gives it."""

    name: str
    digest: str
    path: str
    """Absolute."""

    def array(self, name: str) -> Array:
        """The array of that name, "" where there is one alone, shape (examples, width).

        That of an .npy file is mapped, not loaded. Raises LabelError where the file is not there, is no
        longer what it was, or has no such array of finite real numbers.
        """
        found = _opened(self.path, _state(self.name, self.path), name)
        if found.digest != self.digest:
            raise LabelError(f"{self.name} has changed since the config was read; plan anew, or put it back")
        return found.values


@dataclass(frozen=True)
class _Opened:
    digest: str
    values: Array = field(repr=False)


def read_data(name: str) -> DataFile:
    """The file of arrays that ``name`` means, as it is now. Raises LabelError where there is none."""
    path = str(Path(name).expanduser().absolute())
    return DataFile(name, _digest(path, _state(name, path)), path)


_State = tuple[int, ...]


def _state(name: str, path: str) -> _State:
    """What tells whether a file was written to since it was last read."""
    try:
        with Path(path).open("rb") as file:
            found = os.fstat(file.fileno())
    except OSError as error:
        said = f"{name} cannot be read: {error.strerror}"
        raise LabelError(f"{said} (looked for at {path}; workers need it at the same place)") from None
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _digest(path: str, state: _State) -> str:
    del state  # a key of the cache
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


@lru_cache(maxsize=8)
def _opened(path: str, state: _State, name: str) -> _Opened:
    return _Opened(_digest(path, state), flat(_read(Path(path), name), Path(path).name))


def _read(path: Path, name: str) -> Any:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(found, np.ndarray):
            return _alone(path.name, found, name)
        with found:
            return found[_named(path.name, list(found.files), name)]
    except LabelError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LabelError(f"{path.name} is no file of numbers as np.save and np.savez write: {said}") from None


def _alone(file: str, found: Any, name: str) -> Any:
    if name:
        raise LabelError(f"{file} is one array, without a name; leave out array={name}")
    return found


def _named(file: str, there: list[str], name: str) -> str:
    """Which of the arrays in a file is meant."""
    if name in there:
        return name
    if not name and len(there) == 1:
        return there[0]
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    listed = f"(it has: {', '.join(map(quoted, there[:_MOST_NAMED]))}{more})"
    if not name:
        raise LabelError(f"{file} has {len(there)} arrays; say which, such as {file}(array=x) {listed}")
    raise LabelError(f"{file} has no array {quoted(name)}{suggestion(name, there)} {listed}")


def flat(found: Any, file: str) -> Array:
    """Examples, shape (examples, width). Raises LabelError, which names ``file``, where they are none."""
    if found.dtype.kind not in "fiub":
        raise LabelError(f"{file} holds {found.dtype}; examples are real numbers")
    if found.ndim < 2 or not found.size:
        raise LabelError(f"{file} has the shape {found.shape}; examples want (examples, width), or more axes")
    values: Array = found.reshape(len(found), -1)
    if values.dtype.kind == "f" and not all(np.isfinite(part).all() for part in parts_of(values)):
        raise LabelError(f"{file} holds numbers that are not finite; examples are finite")
    return values
