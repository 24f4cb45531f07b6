"""How loops over a layer's entries are compiled.

Two habits make the compiler vectorise them: an inner loop runs over ``range(x.size)`` of a slice (of
other ranges the compiler does not know that no index is negative), and counts of such a loop are kept as
floats of the width of its entries.
"""

from collections.abc import Callable
from typing import Any

import numba

# Sums may be regrouped and multiplications fused; NaN and infinity keep their meaning.
VECTORIZE = {"reassoc", "contract", "nsz"}

STRETCH = 4096
"""Entries that several loops go over in turn while they lie in the first cache."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit``, kept on the disk for the next process where there is a place to keep it."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither this folder nor the user's cache can be written
            return numba.njit(**options)(function)

    return decorate
