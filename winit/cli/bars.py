"""Bars of signs, for numbers over orders of magnitude."""

import math
from collections.abc import Sequence

WIDTH = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def decades(values: Sequence[float | None]) -> tuple[int, int]:
    """The powers of ten between which all finite positive values lie; one apart at least."""
    logs = [math.log10(value) for value in values if value is not None and 0 < value < math.inf]
    if not logs:
        return 0, 1
    low = math.floor(min(logs))
    return low, max(math.ceil(max(logs)), low + 1)


def bar(value: float | None, scale: tuple[int, int], *, ascii_only: bool = False) -> str:
    """A bar that is empty at the lower power of ten and has all of ``WIDTH`` at the upper one.

    Without one are 0, null and what is not finite.
    """
    if value is None or not 0 < value < math.inf:
        return ""
    low, high = scale
    length = (math.log10(value) - low) / (high - low) * WIDTH
    if ascii_only:
        return "#" * max(1, round(length))
    whole, rest = divmod(max(1, round(8 * length)), 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")
