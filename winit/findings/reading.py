"""Files that DuckDB can read and nothing else: a file system of named files, each opened for reading alone.

DuckDB's own settings say which paths it may touch, but not that it may only read them. So it is given no path
of this machine: the names here are all that it may open, and they are opened by the operating system as
read-only, whatever a statement asks for.
"""

import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from fsspec import AbstractFileSystem

PROTOCOL = "winit"


class ReadOnlyFiles(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """The files of a mapping from names, such as ``winit://cells/0.parquet``, to paths."""

    protocol = PROTOCOL
    cachable = False

    def __init__(self, files: Mapping[str, Path]) -> None:
        super().__init__()
        self._files = files

    def open(self, path: str, mode: str = "rb", **_: Any) -> "_File":
        """The file of that name. Raises PermissionError where it is to be written, or is none of these."""
        if mode != "rb" or path not in self._files:
            raise PermissionError(f"{path} is not to be opened as {mode}")
        return _File(self._files[path])

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What DuckDB asks before it reads."""
        return {"name": path, "size": self._stat(path).st_size, "type": "file"}

    def modified(self, path: str) -> datetime:
        """When it was written, by which DuckDB knows whether what it remembers still holds."""
        return datetime.fromtimestamp(self._stat(path).st_mtime, UTC)

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a name."""
        return path in self._files

    def glob(self, path: str, **_: Any) -> list[str]:
        """The name itself: none is a pattern."""
        return [path] if path in self._files else []

    def _stat(self, path: str) -> os.stat_result:
        return self._files[path].stat()


class _File:
    """A file that several threads of DuckDB read from at once: each has a place of its own."""

    mode = "rb"

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._size = os.fstat(self._descriptor).st_size
        self._place = threading.local()

    @property
    def closed(self) -> bool:
        return self._descriptor < 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._size}[whence]
        self._place.at = start + offset
        return self.tell()

    def tell(self) -> int:
        return getattr(self._place, "at", 0)

    def read(self, size: int = -1) -> bytes:
        at = self.tell()
        read = os.pread(self._descriptor, self._size - at if size < 0 else size, at)
        self._place.at = at + len(read)
        return read

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
