"""Digests in files, so that damage is seen before anything is made of it.

A sealed Parquet file has the digest of all its bytes in its own footer, where a mark says which they are; a
text has it in its first line. A file that is damaged in a single bit is never read as another one.
"""

import hashlib
import mmap
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from winit.errors import WinitError

_MARK = b"winit.seal:"
_DIGITS = 32
_BLANK = b"0" * _DIGITS
BLANK_SEAL = {b"winit.seal": _MARK + _BLANK}
"""Metadata of a table that is to be sealed."""


class DamagedError(WinitError):
    """A file is not what was written, or carries no seal; the message says which, and not yet the mend."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is {why}")
        self.why = why
        """In the words behind ``path`` is."""


def seal(path: Path) -> None:
    """Seal a Parquet file that was written with ``BLANK_SEAL`` among its metadata."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        place = _place(content)
        content[place : place + _DIGITS] = _digest(content, place)


def check_seal(path: Path) -> None:
    """Raise DamagedError where a file is not what was sealed, or has no seal."""
    if path.exists() and not path.is_file():
        raise DamagedError(path, "no regular file")
    if not path.stat().st_size:
        raise DamagedError(path, "empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            place = _place(content)
        except ValueError:
            whole = content[:4] == content[-4:] == b"PAR1"
            why = "without a digest: an older winit made it, or it is damaged" if whole else "damaged"
            raise DamagedError(path, why) from None
        if content[place : place + _DIGITS] != _digest(content, place):
            raise DamagedError(path, "damaged")


def check_table(path: Path) -> None:
    """Raise DamagedError where a table that is sealed as winit writes it is not what was written.

    What says nothing of winit is an older one's, or somebody else's.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (ValueError, pa.ArrowException, OSError):
        metadata = BLANK_SEAL
    if any(key.startswith(b"winit.") for key in metadata):
        check_seal(path)


def write_sealed(table: pa.Table, path: Path) -> None:
    """Write a table as a sealed Parquet file."""
    metadata = (table.schema.metadata or {}) | BLANK_SEAL
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")
    seal(path)


def read_sealed(path: Path) -> pa.Table:
    """The table in a sealed file. Raises DamagedError as ``check_seal`` does."""
    check_seal(path)
    table = pq.read_table(pa.BufferReader(path.read_bytes()))
    metadata = {key: value for key, value in table.schema.metadata.items() if key not in BLANK_SEAL}
    return table.replace_schema_metadata(metadata)


def _place(content: mmap.mmap) -> int:
    """Where the digest begins. Raises ValueError where there is none."""
    found = content.rfind(_MARK)
    if found < 0:
        raise ValueError("no seal")
    return found + len(_MARK)


def _digest(content: mmap.mmap, place: int) -> bytes:
    """Of all but the digest itself."""
    digest = hashlib.blake2b(digest_size=_DIGITS // 2)
    with memoryview(content) as view, view[:place] as before, view[place + _DIGITS :] as behind:
        digest.update(before)
        digest.update(behind)
    return digest.hexdigest().encode()


_HEAD = re.compile(r"# winit: (?P<digest>[0-9a-f]{32})(?P<words>(?: [^\n]*)?)\n")
_WORDS = "; to edit this file take this line away"


def sealed_text(text: str, said: str = "") -> str:
    """A text whose first line, a comment, has its digest and what is ``said``."""
    words = f" {said}{_WORDS}\n"
    return f"# winit: {_text_digest(words, text)}{words}{text}"


def said_in(text: str) -> str | None:
    """What is said in the first line of a sealed text; None where it is not sealed.

    Raises ValueError, with the mend, where it is not as it was sealed.
    """
    head = _HEAD.match(text)
    if head is None:
        return None
    words = f"{head['words']}\n"
    if _text_digest(words, text[head.end() :]) != head["digest"]:
        raise ValueError(
            "is not as winit wrote it: edited, or damaged; take its first line away where the edit is meant"
        )
    return head["words"].strip().removesuffix(_WORDS)


def _text_digest(words: str, text: str) -> str:
    return hashlib.blake2b(f"{words}{text}".encode(), digest_size=_DIGITS // 2).hexdigest()
