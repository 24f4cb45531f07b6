"""A private folder of a sweep for what Dask puts on the disk.

By itself Dask takes one of a name that everybody knows, which all users of a machine share, and from which
its processes import Python modules.
"""

import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winit.sweep.locks import HeldError, exclusive

_PREFIX = "winit-scratch-"
_NEW = ".new-"
_SECONDS_UNTIL_FORGOTTEN = 3600.0


@contextmanager
def private_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder (0700, of a random name) in ``parent``, by default that for temporary files.

    It is removed at the end; those of processes that were killed, by the next one of the same user here.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_forgotten(parent)
    # Nobody looks at it before it is held.
    new = Path(tempfile.mkdtemp(prefix=_NEW + _PREFIX, dir=parent))
    own = parent / f"{_PREFIX}{secrets.token_hex(8)}"
    with exclusive(_lock(new), "computes"):
        new.rename(own)
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)


def _remove_forgotten(parent: Path) -> None:
    for path in (*parent.glob(f"{_PREFIX}*"), *parent.glob(f"{_NEW}{_PREFIX}*")):
        try:
            found = path.lstat()
            if path.name.startswith(_NEW) and time.time() - found.st_mtime < _SECONDS_UNTIL_FORGOTTEN:
                continue  # it is about to be held
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                with exclusive(_lock(path), "removes it", wait=False) as held:
                    if held:  # not so on a file system without locks, where all seem to be free
                        shutil.rmtree(path, ignore_errors=True)
        except (HeldError, OSError):  # in use, or gone meanwhile
            continue


def _lock(folder: Path) -> Path:
    return folder / "lock"
