"""How loops over a layer's entries are compiled.

Two habits make the compiler vectorise them: an inner loop runs over ``range(x.size)`` of a slice (of
other ranges the compiler does not know that no index is negative), and counts of such a loop are kept as
floats of the width of its entries.

And one keeps results the same in every process: no powers. Numba compiles ``x**2`` once a process, with the
``fastmath`` of whoever comes first; what others make of it then depends on what was compiled before.
"""

from collections.abc import Callable
from typing import Any

import numba

from winit.network.kept import KeptCode, say

# Sums may be regrouped and multiplications fused; NaN and infinity keep their meaning.
VECTORIZE = {"reassoc", "contract", "nsz"}

STRETCH = 1024
"""Entries that several loops go over in turn while they lie in the first cache."""


def compiled(fastmath: set[str] | bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit``, kept on the disk for the next process where there is a place to keep it (``kept``).

    ``fastmath`` and the model of errors are always said: a function that left them open would have those of
    its first caller, and its results would depend on who that was.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        made: Any = numba.njit(fastmath=fastmath, error_model="python")(function)
        try:
            made._cache = KeptCode(function)  # noqa: SLF001 - where ``cache=True`` puts numba's own
        except RuntimeError:
            say(
                "there is no folder where compiled code can be kept, so that every process compiles it anew;"
                " name one in NUMBA_CACHE_DIR"
            )
        return made

    return decorate
