"""What a claim is: a statement of a note that can be measured, the networks and the query that decide it.

A claim gives one value for each seed; it holds where the confidence interval of their mean lies within a
band, and does not where it lies outside. One that speaks of every case, holds where all values are within.
"""

import itertools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from winit.findings import intervals
from winit.findings.database import quoted

VERDICTS = ("holds", "does not hold", "undecided", "not tested")
"""``undecided``: the interval has the threshold in it, a value is not defined, or there is but one seed."""

Setting = str | int | float
Settings = dict[str, Setting | tuple[Setting, ...]]
Label = str | tuple[str, ...]
Table = Literal["layers", "training", "training_runs"]

# The settings that a claim leaves open. A value is of one seed under one such setting, as is a comparison.
_OPEN = {
    "layers": ("batch", "dtype", "outputs"),
    "training": ("steps", "batch", "dtype"),
    "training_runs": ("steps", "batch", "dtype"),
}


@dataclass(frozen=True)
class Networks:
    """Cells, or training runs, by their settings; of a tuple of values each is meant."""

    table: Literal["cells", "training_runs"]
    settings: tuple[tuple[str, Setting | tuple[Setting, ...]], ...]

    @property
    def condition(self) -> str:
        """In SQL."""
        return " AND ".join(
            f"{name} IN ({', '.join(map(quoted, value))})"
            if isinstance(value, tuple)
            else f"{name} = {quoted(value)}"
            for name, value in self.settings
        )

    def each(self) -> list["Networks"]:
        """The single networks that are meant."""
        names = [name for name, _ in self.settings]
        values = [value if isinstance(value, tuple) else (value,) for _, value in self.settings]
        return [
            Networks(self.table, tuple(zip(names, chosen, strict=True)))
            for chosen in itertools.product(*values)
        ]

    def __str__(self) -> str:
        return ", ".join(
            str(value) if name in {"initializer", "activation"} else f"{name} {value}"
            for name, value in self.settings
        )


def pushed(initializer: Label, activation: Label, **settings: Setting) -> Networks:
    """Networks pushed through once: by default the notes' ten layers of 500 units under normal input."""
    usual: Settings = {"depth": 10, "width": "500", "input": "normal", "input_width": 0, "bias_std": 0.0}
    named: Settings = {"initializer": initializer, "activation": activation}
    return Networks("cells", tuple({**named, **usual, **settings}.items()))


def trained(initializer: Label, activation: Label, depth: int, **settings: Setting) -> Networks:
    """Networks that were trained: by default 64 units a layer, on the digits."""
    usual: Settings = {"width": "64", "learning_rate": 0.1, "data": "digits", "bias_std": 0.0}
    named: Settings = {"initializer": initializer, "activation": activation, "depth": depth}
    return Networks("training_runs", tuple({**named, **usual, **settings}.items()))


@dataclass(frozen=True)
class Band:
    """Where the value must lie, ends included."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        if self.low == self.high:
            return f"exactly {self.low:g}"
        if self.low == -math.inf:
            return f"at most {self.high:g}"
        if self.high == math.inf:
            return f"at least {self.low:g}"
        return f"from {self.low:g} to {self.high:g}"


def at_least(low: float) -> Band:
    return Band(low=low)


def at_most(high: float) -> Band:
    return Band(high=high)


def exactly(value: float) -> Band:
    return Band(value, value)


# The settings of the runs on the spiral.
SPIRAL: dict[str, Setting] = {"data": "spiral", "learning_rate": 0.5}
# Of the held-out digits, of which guessing gets a tenth.
LEARNED, GUESSED = at_least(0.8), at_most(0.2)


@dataclass(frozen=True)
class Claim:
    """One statement. To add one, write its entry in a module beside this one."""

    id: str
    statement: str
    """In our words."""
    note: str
    """The file that it is in, or the paper."""
    of: Networks
    table: Table
    value: str
    """SQL: from the rows of one seed to its value; of several networks, the worst of them or their mean."""
    measures: str
    """What the value is."""
    holds: Band
    rows: str = "true"
    """SQL: which of its rows count."""
    source: str = ""
    """SQL: what the rows are read from, where that is more than the table."""
    beside: Networks | None = None
    """What ``of`` is compared with, seed by seed."""
    compare: str = "ours / theirs"
    """SQL: then, from the values of both to that of the claim."""
    universal: bool = False
    """Whether it speaks of every case, so that one value outside refutes it."""
    logarithmic: bool = False
    """Whether the value goes over orders of magnitude: its mean is the geometric one."""
    share: bool = False
    """Whether each value is 1 or 0, so that their mean is a share: its interval is a binomial one."""
    why: str = ""
    """What is behind it, where that is not plain."""

    @property
    def networks(self) -> list[Networks]:
        """All single networks that it needs."""
        return [*self.of.each(), *(self.beside.each() if self.beside else ())]

    @property
    def query(self) -> str:
        """SQL over the views of the results: one row for each seed, with its value.

        Where the results have the networks under several batches or steps, it takes those with most seeds,
        of equals the largest: values of different settings are never taken for seeds.
        """
        settings = ", ".join(_OPEN[self.table])
        keys = f"seed, {settings}"
        values = self._values(self.of, "value")
        if self.beside is not None:
            values = (
                f"SELECT {keys}, {self.compare} AS value"
                f" FROM ({self._values(self.of, 'ours')})"
                f" JOIN ({self._values(self.beside, 'theirs')}) USING ({keys})"
            )
        falling = ", ".join(f"{name} DESC" for name in ("seeds", *_OPEN[self.table]))
        counted = f"SELECT *, count(*) OVER (PARTITION BY {settings}) AS seeds FROM ({values})"
        return (
            f"SELECT seed, value FROM ({counted}) QUALIFY rank() OVER (ORDER BY {falling}) = 1 ORDER BY seed"
        )

    def _values(self, networks: Networks, name: str) -> str:
        keys = ", ".join(("seed", *_OPEN[self.table]))
        where = networks.condition if self.rows == "true" else f"{networks.condition} AND {self.rows}"
        return (
            f"SELECT {keys}, {self.value} AS {name} FROM {self.source or self.table}"
            f" WHERE {where} GROUP BY {keys}"
        )


@dataclass(frozen=True)
class Judgement:
    """What came out. ``low`` and ``high`` are the ends of the confidence interval, None without one."""

    verdict: str
    values: tuple[float, ...] = ()
    value: float | None = None
    low: float | None = None
    high: float | None = None


def judge(claim: Claim, values: Sequence[float | None]) -> Judgement:
    """The verdict on measured values. None or not finite is a value that is not defined."""
    known = tuple(value for value in values if value is not None and math.isfinite(value))
    # Of zero there is no logarithm; where all are zero, so is their mean.
    geometric = claim.logarithmic and max(known, default=0) > 0
    if not known or (geometric and min(known) <= 0):
        return Judgement("undecided", known)
    scale = [math.log(value) for value in known] if geometric else list(known)
    back = _exp if geometric else float
    # Equal values are their own mean, whatever rounding says.
    same = min(known) == max(known)
    mean = math.fsum(scale) / len(scale)
    value = known[0] if same else back(mean)
    if len(values) < 2 or len(known) < len(values):
        return Judgement("undecided", known, value)
    if claim.share:
        low, high = intervals.of_share(round(math.fsum(known)), len(known))
        return Judgement(_verdict(claim, known, low, high), known, value, low, high)
    spread = math.sqrt(math.fsum((at - mean) ** 2 for at in scale) / (len(scale) - 1))
    half = float(intervals.quantile(len(scale))) * spread / math.sqrt(len(scale))
    low, high = (value, value) if same else (back(mean - half), back(mean + half))
    return Judgement(_verdict(claim, known, low, high), known, value, low, high)


def _exp(value: float) -> float:
    """e to this power; infinite where the end of a wide interval is beyond every float."""
    return math.exp(value) if value < math.log(sys.float_info.max) else math.inf


def _verdict(claim: Claim, values: Sequence[float], low: float, high: float) -> str:
    band = claim.holds
    if claim.universal:
        within = band.low <= min(values) and max(values) <= band.high
        return "holds" if within else "does not hold"
    if band.low <= low and high <= band.high:
        return "holds"
    return "does not hold" if high < band.low or low > band.high else "undecided"
