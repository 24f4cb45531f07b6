"""What a benchmark is, and how two things are timed side by side."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Benchmark:
    """One figure with a target. ``measure`` gives one value for each round."""

    name: str
    """A short name, by which it is chosen."""
    what: str
    """What the figure is, with its shapes."""
    target: float
    bound: Literal["at most", "at least"]
    unit: str
    """× for ratios, else s, ms, GB"""
    measure: Callable[[int], Iterator[float]]
    """From the number of rounds to the values; raises NotInstalledError where it lacks something."""

    def met(self, value: float) -> bool:
        """Whether ``value`` is on the right side of the target."""
        return value <= self.target if self.bound == "at most" else value >= self.target


class NotInstalledError(Exception):
    """What an optional comparison needs is not there; the message says how to install it."""


def seconds(function: Callable[[], Any]) -> float:
    """What one call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def ratios(
    first: Callable[[], Any],
    second: Callable[[], Any],
    rounds: int,
    warm_up: Callable[[], Any] | None = None,
) -> Iterator[float]:
    """Time of ``first`` ÷ time of ``second``, measured in turns, after a call of each that does not count.

    Where such a call takes long, ``warm_up`` stands for both: it compiles and loads what they need.
    ``second`` runs before and behind ``first``, so that a machine that slows down or speeds up meanwhile
    does not favour one of them.
    """
    if warm_up is None:
        first()
        second()
    else:
        warm_up()
    before = seconds(second)
    for _ in range(rounds):
        numerator = seconds(first)
        behind = seconds(second)
        yield numerator / ((before + behind) / 2)
        before = behind
