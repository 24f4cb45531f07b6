"""Charts of networks layer by layer: a registry of definitions over the data sets of ``profiles.datasets``.

The same definitions are drawn as files and, for the networks that a reader chooses, in the report. To add
one, write its entry in ``LAYER_CHARTS``; the files, the report and the tests follow.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from winit.findings.drawing import COLUMN, COLUMNS, PAGE, WIDTH, AnyChart, Figure, Rows, drawn, powers_of_ten
from winit.findings.palette import INK, PAPER, SERIES, SHAPES
from winit.findings.profiles import PREDICTED
from winit.network.summaries import HISTOGRAM_BINS

_LABELS: Any = "@labels"
_COLOURS: Any = "@colours"
_SHAPES: Any = "@shapes"
_LEGEND: Any = "@legend"
_TICKS: Any = "@ticks"
_LINE_HEIGHT, _BAR_HEIGHT, _RIDGE_HEIGHT = 190, 40, 230
_ACROSS = 4  # ridges that stand side by side in a file


@dataclass(frozen=True)
class LayerChart:
    """A chart of several networks layer by layer."""

    name: str
    title: str
    caption: str
    data: str
    """which data set it shows"""
    column: str
    """and which column; where no row has a value there is nothing to draw"""
    define: Callable[["LayerChart"], AnyChart]
    logarithmic: bool = False
    """without a place for 0"""
    of: str = ""
    """which of several kinds of rows in the data set"""

    @property
    def facets(self) -> bool:
        """Whether each network has a panel of its own."""
        return self.define in {_histograms, _ridges}

    @property
    def shows(self) -> str:
        """Of which rows there is something to see, as a Vega expression."""
        value = f"datum.{self.column}"
        kind = f" && datum.of === '{self.of}'" if self.of else ""
        return (f"{value} > 0" if self.logarithmic else f"isValid({value})") + kind

    def has(self, rows: Rows) -> bool:
        """Whether there is anything to draw."""
        return any(
            row.get(self.column) is not None
            and (row[self.column] > 0 or not self.logarithmic)
            and row.get("of", "") in {"", self.of}
            for row in rows
        )

    def holes(self, labels: Sequence[str], rows: Rows) -> dict[str, Any]:
        """What a file has in them."""
        return {
            _TICKS: _ticks([row.get(self.column) for row in rows]),
            _LABELS: list(labels),
            _COLOURS: [SERIES[k % len(SERIES)] for k in range(len(labels))],
            _SHAPES: [SHAPES[k % len(SHAPES)] for k in range(len(labels))],
            _LEGEND: {"columns": 1 if max(map(len, labels), default=0) > _LONG else 2, "symbolOpacity": 1},
        }

    def figure(self, name: str, of: str, labels: Sequence[str], data: Mapping[str, Rows]) -> Figure:
        """The chart of networks with these labels, from the data sets of their profiles."""
        return Figure(
            name,
            self.title,
            self.caption,
            drawn(self.define, self),
            {each: data[each] for each in {self.data, "theory"}},
            self.holes(labels, data[self.data]),
            PAGE if self.facets else COLUMN,
            len(labels) if self.define is _ridges else 1,
            _ACROSS,
            of=of,
        )


OUTLINES = {
    "circle": "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0",
    "square": "M-6 -6H6V6H-6Z",
    "triangle-up": "M0 -7L7 6H-7Z",
    "diamond": "M0 -8L6 0L0 8L-6 0Z",
    "cross": "M-2 -7H2V-2H7V2H2V7H-2V2H-7V-2H-2Z",
    "triangle-down": "M0 7L7 -6H-7Z",
}
"""The shapes of the lines' points as SVG paths, for the legend of a page."""


def _ticks(values: Iterable[float | None]) -> list[float] | None:
    """On an axis that is linear near 0 and logarithmic beyond; None for such as any axis has."""
    found = [value for value in values if value is not None]
    largest = max(map(abs, found), default=0.0)
    if largest <= _LINEAR:
        return None
    powers = powers_of_ten(0, math.ceil(math.log10(largest)))
    ticks = [*(-power for power in reversed(powers)), 0.0, *powers]
    return [tick for tick in ticks if min(found) <= tick <= max(found)]


_LINEAR = 10.0  # up to so large values
_LONG = 24  # letters, of which two do not fit side by side

_X: dict[str, Any] = {"title": "layer", "axis": {"labelOverlap": "greedy", "labelAngle": 0, "grid": False}}


def _lines(chart: LayerChart) -> AnyChart:
    """Means over seeds, the spread of the seeds behind them, and dashed before them what theory predicts."""
    name = chart.column
    if chart.logarithmic:
        scale = alt.Scale(type="log")
    elif name == _SIGNED:  # of any size
        scale = alt.Scale(type="symlog")
    else:
        scale = alt.Scale(zero=name in _FROM_ZERO)
    axis = alt.Axis(
        tickCount=6,
        values=_TICKS if name == _SIGNED else alt.Undefined,
        format="~s" if name == _COUNTED else "~e" if chart.logarithmic else ".3~g",
        labelOverlap="greedy",
        gridOpacity=alt.condition(_POWER_OF_TEN, alt.value(1), alt.value(0)) if chart.logarithmic else 1,
    )
    x = alt.X(
        "layer:Q",
        title="layer",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
    )
    y = alt.Y(f"{name}:Q", title=chart.title, scale=scale, axis=axis)
    colour = _colour(_LEGEND)
    shape = alt.Shape("network:N", scale=alt.Scale(domain=_LABELS, range=_SHAPES), legend=_LEGEND, title=None)
    spread = [alt.Tooltip(f"{name}{end}:Q", format=".4g") for end in ("", "_low", "_high")]
    rows = alt.Chart(alt.NamedData("measured")).transform_filter(chart.shows)
    at_least = f"datum.{name}_low > 0" if chart.logarithmic else f"isValid(datum.{name}_low)"
    band = (
        rows.transform_filter(at_least)
        .mark_area(opacity=0.18)
        .encode(x=x, y=alt.Y(f"{name}_low:Q"), y2=alt.Y2(f"{name}_high:Q"), color=colour)
    )
    line = rows.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour)
    theory = [_theory(chart, x, y)] if name in PREDICTED else []
    # In front, where a pointer finds them.
    points = rows.mark_point(size=26, filled=True, opacity=1).encode(
        x=x, y=y, color=colour, shape=shape, tooltip=[*_PLACE, *spread]
    )
    return alt.layer(band, line, *theory, points, width=WIDTH, height=_LINE_HEIGHT)


def _theory(chart: LayerChart, x: alt.X, y: alt.Y) -> AnyChart:
    predicted = alt.Tooltip(f"{chart.column}:Q", format=".4g", title="theory")
    return (
        alt.Chart(alt.NamedData("theory"))
        .transform_filter(chart.shows)
        # Where theory is right its line lies on the measured one: thin and dark, both can be seen.
        .mark_line(strokeDash=[5, 4], strokeWidth=1.2, color=INK)
        .encode(x=x, y=y, detail=alt.Detail("network:N"), tooltip=[*_PLACE, predicted])
    )


_POWER_OF_TEN = "abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-9"
_PLACE = [alt.Tooltip("network:N"), alt.Tooltip("layer:O")]
_FROM_ZERO = {"saturated", "dead"}
_SIGNED, _COUNTED = "h_mean", "distinct"


def _colour(legend: Any) -> alt.Color:
    scale = alt.Scale(domain=_LABELS, range=_COLOURS)
    return alt.Color("network:N", scale=scale, legend=legend, title=None)


def _histograms(_: LayerChart) -> AnyChart:
    """The notes' row of histograms, a row for each network."""
    x = alt.X("layer:O", **(_X | {"scale": alt.Scale(paddingInner=0.15, paddingOuter=0.05)}))
    bins = alt.Scale(domain=list(range(-1, HISTOGRAM_BINS + 1)), paddingInner=0)
    ends = [alt.Tooltip(f"{end}:Q", format=".3~g") for end in ("from", "to")]
    return (
        alt.Chart(alt.NamedData("bars"), width=WIDTH, height=_BAR_HEIGHT)
        .mark_bar()
        .encode(
            x=x,
            color=_colour(None),
            xOffset=alt.XOffset("bin:O", scale=bins),
            opacity=alt.condition("datum.beyond", alt.value(0.4), alt.value(1)),
            y=alt.Y("share:Q", axis=None, scale=alt.Scale(domain=[0, 1])),
            row=alt.Row("network:N", title=None, sort=_LABELS, spacing=6, header=_ABOVE),
            tooltip=[*_PLACE, *ends, alt.Tooltip("share:Q", format=".2f", title="÷ highest bar")],
        )
    )


_ABOVE = alt.Header(labelAngle=0, labelAnchor="start", labelOrient="top", labelPadding=2, labelLimit=400)


def _ridges(chart: LayerChart) -> AnyChart:
    """The magnitudes in each layer as one ridge before the other, a panel for each network."""
    x = alt.X("exponent:Q", title=f"log₁₀ |{chart.of}|", axis=alt.Axis(tickMinStep=1, tickCount=5))
    axis = alt.Axis(tickMinStep=1, grid=False, labelExpr="datum.value < 1 ? '' : datum.label")
    y = alt.Y("top:Q", title="layer", scale=alt.Scale(reverse=True, zero=False, nice=False), axis=axis)
    return (
        alt.Chart(alt.NamedData("magnitudes"), width=WIDTH, height=_RIDGE_HEIGHT)
        .transform_filter(chart.shows)
        .mark_area(stroke=PAPER, strokeWidth=1, interpolate="monotone", fillOpacity=0.9)
        .encode(
            x=x,
            y=y,
            y2=alt.Y2("layer:Q"),
            fill=alt.Fill("network:N", scale=alt.Scale(domain=_LABELS, range=_COLOURS), legend=None),
            detail=alt.Detail("layer:O"),
            facet=alt.Facet("network:N", title=None, sort=_LABELS, columns=COLUMNS, header=_ABOVE_SHORT),
            tooltip=_PLACE,
        )
    )


# A line for each part of a label, none wider than its panel.
_ABOVE_SHORT = {"labelAnchor": "start", "labelLimit": WIDTH, "labelExpr": "split(datum.label, ', ')"}

LAYER_CHARTS: tuple[LayerChart, ...] = (
    LayerChart(
        "std",
        "std of h",
        "Standard deviation of each layer's activations: mean over seeds, the shaded band from the smallest"
        " seed to the largest, dashed what theory predicts for infinite width. An exact zero has no place on"
        " the logarithmic axis and is left out. Of a network of more than 64 layers so many are shown.",
        "measured",
        "h_std",
        _lines,
        logarithmic=True,
    ),
    LayerChart(
        "gradients",
        "std of ∂L/∂h",
        "Standard deviation of ∂L/∂h of each layer, per example, for a random cotangent N(0, 1) at the"
        " output; band: from the smallest seed to the largest; dashed: theory, from the last layer's, a root"
        " mean square, which for weights with a mean may come from a few examples that most batches do not"
        " hold. Exact zeros are left out.",
        "measured",
        "g_std",
        _lines,
        logarithmic=True,
    ),
    LayerChart(
        "mean",
        "mean of h",
        "Mean of each layer's activations; band: over seeds; dashed: theory.",
        "measured",
        "h_mean",
        _lines,
    ),
    LayerChart(
        "histograms",
        "Histograms by layer",
        "Activations of each layer, from the first on the left to the last on the right, a row for each"
        " network, over the activation's range ((−4, 4) where it has none); first seed. Each is scaled to its"
        " own highest bar, at which a bar of exact zeros is cut off; the pale bars at the ends are what lies"
        " outside. Of a network of more than 16 layers so many are shown.",
        "bars",
        "share",
        _histograms,
    ),
    LayerChart(
        "magnitudes",
        "Magnitudes of activations",
        "How large the activations of each layer are, by powers of ten, the first layer behind and the last"
        " one in front; first seed, without exact zeros; what is below 1e-30 or above 1e30 stands at those"
        " ends. A signal that lives stays where it is.",
        "magnitudes",
        "exponent",
        _ridges,
        of="h",
    ),
    LayerChart(
        "gradient_magnitudes",
        "Magnitudes of gradients",
        "How large ∂L/∂h is in each layer, by powers of ten, the first layer behind and the last one in"
        " front; first seed, without exact zeros.",
        "magnitudes",
        "exponent",
        _ridges,
        of="g",
    ),
    LayerChart(
        "saturated",
        "saturated share",
        "Share of a layer's units where |φ'(z)| is below a twentieth of its maximum; band: over seeds.",
        "measured",
        "saturated",
        _lines,
    ),
    LayerChart(
        "dead",
        "dead share",
        "Share of a layer's units whose φ' is 0 for every example of the batch; band: over seeds.",
        "measured",
        "dead",
        _lines,
    ),
    LayerChart(
        "distinct",
        "different units",
        "How many of a layer's units differ from one another; 1 means that the layer is one unit, repeated.",
        "measured",
        "distinct",
        _lines,
        logarithmic=True,
    ),
    LayerChart(
        "cosine",
        "cosine between examples",
        "Mean cosine between the activations of different examples: at 1 the layer sees all inputs as one;"
        " band: over seeds; dashed: theory.",
        "measured",
        "cosine",
        _lines,
    ),
    LayerChart(
        "weight_gradients",
        "norm of ∂L/∂W",
        "Norm of the weights' gradient, of the mean over the batch; band: over seeds. Exact zeros are left"
        " out.",
        "measured",
        "weight_grad_norm",
        _lines,
        logarithmic=True,
    ),
)
