"""How loops over a layer's entries are compiled.

Two habits make the compiler vectorise them: an inner loop runs over ``range(x.size)`` of a slice (of
other ranges the compiler does not know that no index is negative), and counts of such a loop are kept as
floats of the width of its entries.

And one keeps results the same in every process: no powers. Numba compiles ``x**2`` once a process, with the
``fastmath`` of whoever comes first; what others make of it then depends on what was compiled before.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

# Sums may be regrouped and multiplications fused; NaN and infinity keep their meaning.
VECTORIZE = {"reassoc", "contract", "nsz"}

STRETCH = 1024
"""Entries that several loops go over in turn while they lie in the first cache."""


def compiled(fastmath: set[str] | bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit``, kept on the disk for the next process where there is a place to keep it.

    ``fastmath`` is always said: a function that left it open would have that of its first caller, and its
    results would depend on who that was.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            made = numba.njit(cache=True, fastmath=fastmath)(function)
        except RuntimeError:  # neither this folder nor the user's cache can be written
            return numba.njit(fastmath=fastmath)(function)
        kept = made.stats.cache_path
        assert kept is not None, "it is cached"
        _forget_older(Path(kept))
        return made

    return decorate


@cache
def _forget_older(kept: Path) -> None:
    """Empty the folder ``kept`` of what was compiled from other sources than these.

    Numba itself compiles a function again when the function's own file has changed, but not when that
    of a function which it calls has.
    """
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    digest = hashlib.blake2b(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = kept / "compiled_from.txt"
    if stamp.exists() and stamp.read_text() == digest:
        return
    for index in kept.glob("*.nbi"):
        index.unlink(missing_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest)
