"""What all figures share: a chart with its name and words, axes, and rows from the results."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import altair as alt
import vl_convert

from winit.findings.database import Database
from winit.sweep.layout import Results

AnyChart = Any
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Chart:
    """A figure. ``draw`` gives None where the results hold nothing for it to show."""

    name: str
    title: str
    caption: str
    draw: Callable[..., AnyChart | None]


@dataclass(frozen=True)
class Figure:
    """A chart that is drawn, ready to be saved or embedded."""

    name: str
    title: str
    caption: str
    chart: AnyChart

    @property
    def specification(self) -> dict[str, Any]:
        """Vega-Lite, without the schema's check of every row, which takes longer than all the rest."""
        with alt.utils.schemapi.debug_mode(arg=False):
            specification: dict[str, Any] = self.chart.to_dict(validate=False)
        return specification


class _Inline:
    """Rows that Altair hands on as they are: it would copy them again and again otherwise."""

    _schema: ClassVar[dict[str, Any]] = {"type": "array"}  # what Altair knows a part of a chart by

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def to_dict(self) -> Rows:
        """The rows, for the specification."""
        return self._rows


def chart_of(rows: Rows) -> alt.Chart:
    """A chart of rows that stand in its specification."""
    return alt.Chart(alt.Data(values=_Inline(rows)))


def drawn(draw: Callable[..., AnyChart | None], *arguments: Any) -> AnyChart | None:
    """What ``draw`` makes of the arguments, without Altair's checks, which take longer than all the rest."""
    with alt.utils.schemapi.debug_mode(arg=False):
        return draw(*arguments)


def save(figures: Iterable[Figure], results: Results) -> None:
    """Write every figure as SVG and PNG."""
    results.figures.mkdir(exist_ok=True)
    for figure in figures:
        titled = figure.specification | {"title": figure.title}
        svg = vl_convert.vegalite_to_svg(titled)
        (results.figures / f"{figure.name}.svg").write_text(svg, encoding="utf-8")
        (results.figures / f"{figure.name}.png").write_bytes(vl_convert.svg_to_png(svg, ppi=144))


def rows_of(database: Database, query: str) -> Rows:
    """The answer to a query, a dictionary a row."""
    rows: Rows = database.sql(query).to_arrow_table().to_pylist()
    return rows


def settings_of(settings: Iterable[tuple[str, Any]]) -> list[str]:
    """Settings in words."""
    return [f"{name}={value}" for name, value in settings]


def file_name(*parts: str) -> str:
    """A name that every file system takes."""
    return "".join(c if c.isalnum() or c in "._=-" else "_" for c in "-".join(parts))


def tooltips(*fields: str) -> list[alt.Tooltip]:
    """What a pointer shows, as ``name:type``. (Altair takes the bare text too, but 8 ms for each.)"""
    return [alt.Tooltip(field) for field in fields]


def log_axis(rows: Rows, name: str, title: str) -> alt.Y:
    """A logarithmic axis over the values that have a place on it."""
    exponents = [math.log10(row[name]) for row in rows if row[name] > 0] or [0.0]
    powers = powers_of_ten(math.floor(min(exponents)), math.ceil(max(exponents)))
    axis = alt.Axis(format="~e", values=powers)
    return alt.Y(f"{name}:Q", title=title, scale=alt.Scale(type="log"), axis=axis)


def powers_of_ten(low: int, high: int) -> list[float]:
    """A handful of powers from 10^low to 10^high, however many decades there are."""
    step = max(1, (high - low) // 6)
    return [10.0**k for k in range(low - low % step, high + 1, step)]
