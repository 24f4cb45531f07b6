"""Compiled code on the disk, for the next process: whole and of these sources, or as if it were not there.

numba's own cache trusts what it finds. A file that a power cut left empty or short ends the process in
whatever error unpickling has, and a flipped bit in machine code does anything; of two processes that fill
it at the same time one may get what the other compiled for other types; and it compiles a function again
when the function's own file has changed, but not when that of a function which it calls has. So compiled
code has a file of its own here for each function, types and processor, which says what it was compiled from
and has a digest of all of it. Where there is no place for it, or the place is full, every process compiles
it, and a line says so.
"""

import hashlib
import pickle
import sys
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

_DIGEST = 32
"""Bytes of a digest. A file is that of what it was compiled from, that of the file, and the pickle."""


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


@cache
def compiled_from() -> bytes:
    """The digest of all that decides what is compiled: the sources of the numerics, and the compilers."""
    versions = [numba.__version__, llvmlite.__version__, np.__version__]
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py"))]
    return _digest(*(version.encode() for version in versions), *sources)


@cache
def say(message: str) -> None:
    """One line on standard error, once a process."""
    sys.stderr.write(f"winit: {message}\n")


class KeptCode(FunctionCache):
    """Where a dispatcher of numba looks for compiled code and puts it. Without a folder, RuntimeError."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.folder = Path(self.cache_path)
        settings: Any = numba.config
        wanted = settings.CACHE_DIR
        if wanted and Path(wanted).absolute() not in self.folder.absolute().parents:
            say(f"NUMBA_CACHE_DIR, {wanted}, cannot be written; compiled code is kept in {self.folder}")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for arguments of these types; None where there is none that is whole and fits."""
        target_context.refresh()
        key = self._index_key(sig, target_context.codegen())
        body = self._read(self._path(key))
        if body is None:
            return None
        kept_key, code = pickle.loads(body)  # noqa: S301 - as whole as this package's own files
        return self._impl.rebuild(target_context, code) if kept_key == key else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code for arguments of these types."""
        if not self._impl.check_cachable(data):
            return
        key = self._index_key(sig, data.codegen)
        path = self._path(key)
        body = dumps((key, self._impl.reduce(data)))
        aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                aside.write_bytes(compiled_from() + self._seal(path, compiled_from(), body) + body)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
        except OSError as error:
            say(
                f"compiled code cannot be kept in {self.folder} ({error.strerror}), so that every process"
                " compiles it anew; make room there, or name another folder in NUMBA_CACHE_DIR"
            )

    def _path(self, key: tuple[Any, ...]) -> Path:
        types, processor, _ = key
        name = _digest(repr(types).encode(), repr(processor).encode()).hex()[:16]
        return self.folder / f"{self._impl.filename_base}.{name}.nbc"

    def _read(self, path: Path) -> bytes | None:
        """The pickle in a file; None where there is none, or what it was compiled from is no more."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            say(f"compiled code in {self.folder} cannot be read ({error.strerror}); it is compiled anew")
            return None
        origin, seal, body = content[:_DIGEST], content[_DIGEST : 2 * _DIGEST], content[2 * _DIGEST :]
        if seal != self._seal(path, origin, body):
            say(f"compiled code in {self.folder} is damaged, as after a power cut; it is compiled anew")
            return None
        return body if origin == compiled_from() else None

    @staticmethod
    def _seal(path: Path, origin: bytes, body: bytes) -> bytes:
        return _digest(path.name.encode(), origin, body)
