"""What all figures share: a definition with holes, the data beside it, a style, and files for papers.

A chart is defined once, in Altair. What depends on where it is shown, its width, the colour of its lines, is
a hole: a string such as ``@width``. ``filled`` fills them for a file; the report's page does so in the
browser, for its own width and for light or dark (``web/draw.js``).
"""

import math
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import altair as alt
import vl_convert

from winit.findings.database import Database
from winit.findings.palette import PRINTED
from winit.sweep.files import folder_at, remove_forgotten, replacing_all
from winit.sweep.layout import Results

AnyChart = Any
Rows = list[dict[str, Any]]

# Holes of all charts; Altair's types know none.
WIDTH: Any = "@width"
"""of a panel"""
COLUMNS: Any = "@columns"
"""how many panels stand side by side"""
NAMES: Any = "@names"
"""the room for the names of initializers beside them"""
KEYS: Any = "@keys"
"""the columns of a legend"""

ENDINGS = (".svg", ".png")
"""of the files of a figure"""
COLUMN, PAGE = 321, 658
"""Widths of a figure in a paper, 85 and 174 mm: one column, and both."""
# vl-convert takes a pixel for a point; ours are a 96th of an inch.
_PPI, _SCALE = 300, 72 / 96
_POINT = 96 / 72
_ATTEMPTS = 4
_NAMES = 160  # in a paper
_LETTER, _SYMBOL = 4.6, 34  # the width of a letter of a key, and of what stands before and behind it
_OF_TITLE, _OF_SUBTITLE = 6.8, 5.6  # widths of letters that are rather wide

STYLE: dict[str, Any] = {
    "background": "#ffffff",
    "font": "Helvetica, Arial, sans-serif",
    "axis": {"labelFontSize": 7 * _POINT, "titleFontSize": 8 * _POINT, "titleFontWeight": "normal"},
    "header": {"labelFontSize": 7 * _POINT, "titleFontSize": 8 * _POINT, "titleFontWeight": "normal"},
    "legend": {
        "labelFontSize": 7 * _POINT,
        "titleFontSize": 8 * _POINT,
        "titleFontWeight": "normal",
        "labelLimit": 280,
        "orient": "bottom",
        "columns": 2,
        "layout": {"bottom": {"direction": "vertical", "anchor": "start"}},
    },
    "title": {"fontSize": 8 * _POINT, "subtitleFontSize": 7 * _POINT, "fontWeight": "bold"},
    "view": {"stroke": "#bbbbbb"},
}
"""Letters of 7 and 8 points, as journals ask for."""


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
    data: Mapping[str, Rows] = field(default_factory=dict)
    """of the data sets that the chart names"""
    holes: Mapping[str, Any] = field(default_factory=dict)
    """but for those of all charts, and what is printed black and white"""
    size: int = COLUMN
    """how wide it is in a paper"""
    panels: int = 1
    most: int = 1
    """how many of the panels stand side by side in a paper"""
    least: int = 200
    """how narrow a panel may be on a page"""
    longest: int = 20
    """letters of the longest key of its legend"""
    named: bool = False
    """whether initializers stand beside the panels"""
    of: str = ""
    """which networks it shows; nothing where it shows all"""

    @property
    def heading(self) -> str:
        """What it shows, and of which networks, in one line."""
        return f"{self.title}: {self.of}" if self.of else self.title

    @property
    def definition(self) -> dict[str, Any]:
        """Vega-Lite with its holes; the schema's check of every row would take longer than all the rest."""
        with alt.utils.schemapi.debug_mode(arg=False):
            definition: dict[str, Any] = self.chart.to_dict(validate=False)
        return definition

    def svg(self) -> str:
        """The figure for a paper. What it says stands in it for those who cannot see it."""
        words = {"description": f"{self.heading}. {self.caption}", "title": self._above}
        definition = self.definition | words | {"datasets": self.data}
        if _is_one_view(definition):
            fit = {"autosize": {"type": "fit-x", "contains": "padding"}}
            return self._rendered(definition | fit, self.size, 1)
        # What stands beside the panels has a width that is only known once it is drawn.
        across = min(self.panels, self.most)
        width = self.size / across
        for _ in range(_ATTEMPTS):
            svg = self._rendered(definition, width, across)
            missed = self.size - float(ET.fromstring(svg).get("width", ""))  # noqa: S314 - our own file
            if abs(missed) <= across:
                break
            width = max(width + missed / across, 1.0)
        return svg

    @property
    def _above(self) -> dict[str, Any]:
        """What stands above it, in lines that are no wider than it is."""
        lines = textwrap.wrap(self.title, int(self.size / _OF_TITLE))
        below = textwrap.wrap(self.of, int(self.size / _OF_SUBTITLE))
        return {"text": lines, "subtitle": below, "anchor": "start", "frame": "bounds", "limit": self.size}

    def _rendered(self, definition: dict[str, Any], width: float, columns: int) -> str:
        keys = max(1, math.floor(self.size / (_LETTER * self.longest + _SYMBOL)))
        holes = {WIDTH: width, COLUMNS: columns, NAMES: _NAMES, KEYS: keys}
        complete = filled(definition, PRINTED | dict(self.holes) | holes)
        svg: str = vl_convert.vegalite_to_svg(complete, config=STYLE)
        return svg


def _is_one_view(definition: dict[str, Any]) -> bool:
    """Whether Vega can make it fit into a width."""
    composed = {"facet", "concat", "vconcat"} & definition.keys()
    return not composed and not {"row", "facet"} & definition.get("encoding", {}).keys()


def filled(part: Any, holes: Mapping[str, Any]) -> Any:
    """A definition, or a part of one, with something in each of its holes."""
    if isinstance(part, str):
        return filled(holes[part], holes) if part in holes else part
    if isinstance(part, dict):
        return {
            name: value if _is_data(name, value) else filled(value, holes) for name, value in part.items()
        }
    return [filled(each, holes) for each in part] if isinstance(part, list) else part


def _is_data(name: str, value: Any) -> bool:
    """Data have no holes, and are long."""
    return name == "datasets" or (name == "values" and isinstance(value, list))


class Inline:
    """Rows that Altair hands on as they are: it would copy them again and again otherwise."""

    _schema: ClassVar[dict[str, Any]] = {"type": "array"}  # what Altair knows a part of a chart by

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def to_dict(self) -> Rows:
        """The rows, for the specification."""
        return self._rows


def chart_of(rows: Rows) -> alt.Chart:
    """A chart of rows that stand in its specification."""
    return alt.Chart(alt.Data(values=Inline(rows)))


def drawn(draw: Callable[..., AnyChart | None], *arguments: Any) -> AnyChart | None:
    """What ``draw`` makes of the arguments, without Altair's checks, which take longer than all the rest.

    They would not know what a hole is.
    """
    with alt.utils.schemapi.debug_mode(arg=False):
        return draw(*arguments)


def save(figures: Iterable[Figure], results: Results) -> None:
    """Write every figure as SVG and PNG; where one cannot be, those that were there stay."""
    remove_forgotten(folder_at(results.figures))
    with replacing_all() as new:
        for figure in figures:
            svg = figure.svg()
            png = vl_convert.svg_to_png(svg, scale=_SCALE, ppi=_PPI)
            for ending, content in zip(ENDINGS, (svg.encode(), png), strict=True):
                new(results.figures / f"{figure.name}{ending}").write_bytes(content)


def rows_of(database: Database, query: str) -> Rows:
    """The answer to a query, a dictionary a row."""
    rows: Rows = database.sql(query).to_arrow_table().to_pylist()
    return rows


def settings_of(settings: Iterable[tuple[str, Any]]) -> list[str]:
    """Settings in words."""
    return [f"{name}={value}" for name, value in settings]


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
