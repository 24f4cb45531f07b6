"""What differs between two processes: seen by a user's file that is run a second time, to be compared."""

from collections.abc import Callable
from typing import Any

_APART = 0x5DEECE66D


def _hash(value: Any) -> int:
    """Of texts, and of objects that are hashed by where they lie, another one than here."""
    if isinstance(value, tuple):
        return hash(tuple(map(_hash, value)))
    by_place: Any = object.__hash__
    if isinstance(value, (str, bytes)) or type(value).__hash__ is by_place:
        return hash((value, _APART))
    return hash(value)


def _id(value: object) -> int:
    return id(value) + _APART


BUILTINS: dict[str, Callable[[Any], int]] = {"hash": _hash, "id": _id}
"""In the place of Python's own."""
