"""Certificates on the disk, for workers on other machines, for the time of one sweep.

Whoever holds the key may run programs as the user, so only the user may read it. It is of no use after the
sweep, whose scheduler and workers alone trust it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from distributed.security import Security

from winit.sweep.locks import HeldError, exclusive

_PREFIX = "tls-"


@contextmanager
def certificate_files(folder: Path) -> Iterator[Security]:
    """A key and a certificate for all sides: files (0600) in a folder of their own (0700) in ``folder``.

    They are removed at the end; those of a sweep that was killed, by the next.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for forgotten in folder.glob(f"{_PREFIX}*"):
        with suppress(HeldError), exclusive(_lock(forgotten), "removes it", wait=False):
            shutil.rmtree(forgotten, ignore_errors=True)
    own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder.resolve()))
    try:
        with exclusive(_lock(own), "sweeps"):
            made = Security.temporary()
            _write(own / "cert", made.tls_client_cert)
            _write(own / "key", made.tls_client_key)
            yield in_files(own)
    finally:
        shutil.rmtree(own, ignore_errors=True)


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
