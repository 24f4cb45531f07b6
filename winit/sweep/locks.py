"""One at a time: locks that end with the process that holds them, however it ends.

They are the kernel's (flock): nothing is left behind that would have to be removed by hand.
"""

import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from winit.errors import WinitError
from winit.sweep.files import folder_at, refuse_link
from winit.visible import visible

_SECONDS_BETWEEN_TRIES = 0.2
# A file system without locks: then parts in the store, named by their content, are all the safety there is.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class HeldError(WinitError):
    """Another process is at it; the message says which."""


@contextmanager
def exclusive(path: Path, doing: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock at ``path``, saying in it who does what; false where the file system has no locks.

    While another process holds it, say so and wait, or raise HeldError where there is no ``wait``.
    """
    folder_at(path.parent)
    with open(path, "a+", encoding="utf-8", opener=_opened) as file:
        held = _acquired(file, wait=wait)
        if held:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}, which {doing}")
            file.flush()
        yield held


def held(path: Path) -> bool:
    """Whether a process holds the lock at ``path`` now."""
    try:
        with exclusive(path, "looks", wait=False):
            return False
    except HeldError:
        return True


def _opened(path: str, flags: int) -> int:
    """As ``open`` does, but never what a link leads to: it would be emptied."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            refuse_link(Path(path))
        raise


def _acquired(file: TextIO, *, wait: bool) -> bool:
    try:
        if not _lock(file):
            holder = _holder(file)
            if not wait:
                raise HeldError(holder)
            print(f"waiting for {holder}; end it to go on at once", file=sys.stderr, flush=True)  # noqa: T201
            while not _lock(file):
                time.sleep(_SECONDS_BETWEEN_TRIES)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: TextIO) -> str:
    file.seek(0)
    return visible(file.read()) or "another process"
