"""Digests in files, so that damage is seen before anything is made of it.

A sealed Parquet file has the digest of all its bytes in its own footer, where a mark says which they are; a
text has it in its first line. A file that is damaged in a single bit is never read as another one.
"""

import hashlib
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
    content = path.read_bytes()
    place = _place(content)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(_digest(content, place))


def check_seal(path: Path) -> bytes:
    """The content of a sealed file. Raises DamagedError where it is not what was sealed, or has no seal."""
    content = path.read_bytes()
    if not content:
        raise DamagedError(path, "empty")
    try:
        place = _place(content)
    except ValueError:
        whole = content[:4] == content[-4:] == b"PAR1"
        why = "without a digest: an older winit made it, or it is damaged" if whole else "damaged"
        raise DamagedError(path, why) from None
    if content[place : place + _DIGITS] != _digest(content, place):
        raise DamagedError(path, "damaged")
    return content


def write_sealed(table: pa.Table, path: Path) -> None:
    """Write a table as a sealed Parquet file."""
    metadata = (table.schema.metadata or {}) | BLANK_SEAL
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")
    seal(path)


def read_sealed(path: Path) -> pa.Table:
    """The table in a sealed file. Raises DamagedError as ``check_seal`` does."""
    table = pq.read_table(pa.BufferReader(check_seal(path)))
    metadata = {key: value for key, value in table.schema.metadata.items() if key not in BLANK_SEAL}
    return table.replace_schema_metadata(metadata)


def _place(content: bytes) -> int:
    """Where the digest begins. Raises ValueError where there is none."""
    return content.rindex(_MARK) + len(_MARK)


def _digest(content: bytes, place: int) -> bytes:
    """Of all but the digest itself."""
    view = memoryview(content)
    digest = hashlib.blake2b(view[:place], digest_size=_DIGITS // 2)
    digest.update(view[place + _DIGITS :])
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
