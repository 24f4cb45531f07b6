"""Certificates on the disk, for workers on other machines, for the time of one sweep.

Whoever holds the key may run programs as the user, so only the user may read it. It is of no use after the
sweep, whose scheduler and workers alone trust it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from distributed.security import Security

from winit.sweep.locks import HeldError, exclusive

_PREFIX = "tls-"


@contextmanager
def certificate_files(folder: Path) -> Iterator[Security]:
    """A key and a certificate for all sides: files (0600) in a folder of their own (0700) in ``folder``.

    They are removed at the end; those of a sweep that was killed, by the next.
    """
    with ExitStack() as stack:
        with _undisturbed(folder):
            own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder.resolve()))
            stack.callback(_remove, own)
            found = folder.resolve().glob(f"{_PREFIX}*")
            others = [other for other in found if other != own and not other.is_symlink()]
            if stack.enter_context(exclusive(_lock(own), "sweeps")):
                for other in others:
                    if not _is_held(other):
                        shutil.rmtree(other, ignore_errors=True)
        made = Security.temporary()
        _write(own / "cert", made.tls_client_cert)
        _write(own / "key", made.tls_client_key)
        yield in_files(own)


def _undisturbed(folder: Path) -> AbstractContextManager[bool]:
    """While sweeps that begin or end at the same time wait: a new folder is not held for a moment."""
    return exclusive(folder / "lock", "makes or removes certificates")


def _remove(own: Path) -> None:
    with _undisturbed(own.parent):
        shutil.rmtree(own, ignore_errors=True)


def _is_held(folder: Path) -> bool:
    try:
        with exclusive(_lock(folder), "removes it", wait=False):
            return False
    except (HeldError, PermissionError):  # the latter: another user's
        return True


def in_files(folder: Path) -> Security:
    """The certificate and key that are, or will be, in ``folder``, for all sides; they are their own CA."""
    cert, key = str(folder / "cert"), str(folder / "key")
    sides = ("client", "scheduler", "worker")
    certs = {f"tls_{side}_cert": cert for side in sides} | {f"tls_{side}_key": key for side in sides}
    return Security(require_encryption=True, tls_ca_file=cert, **certs)


def _lock(folder: Path) -> Path:
    return folder / "lock"


def _write(path: Path, content: str) -> None:
    path.touch(0o600, exist_ok=False)  # before there is anything to read
    path.write_text(content, encoding="ascii")
