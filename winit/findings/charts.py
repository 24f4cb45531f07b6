"""Figures of what was pushed through: a registry of charts, drawn for each activation and probe.

To add one, write its function and its entry in ``CHARTS``; the files, the report and the tests follow.
"""

import math
from dataclasses import dataclass
from typing import Any

import altair as alt

from winit.findings.database import Database, quoted
from winit.findings.drawing import (
    AnyChart,
    Chart,
    Figure,
    Rows,
    chart_of,
    drawn,
    file_name,
    log_axis,
    powers_of_ten,
    rows_of,
    settings_of,
    tooltips,
)
from winit.findings.phase import VERDICT_COLOURS, phase_diagram
from winit.network.activations import activation, histogram_range
from winit.network.summaries import HISTOGRAM_BINS, histogram_edges
from winit.sweep.schema import NETWORK_KEYS, PROBE_KEYS
from winit.sweep.verdicts import VERDICTS


@dataclass(frozen=True)
class Network:
    """Which cells a chart shows, apart from the initializer: one network under one probe."""

    activation: str
    depth: int
    width: str
    probe: tuple[tuple[str, Any], ...] = ()
    """the probe settings in which the results differ, by name"""
    unusual: tuple[tuple[str, Any], ...] = ()
    """those of them that are not those of most cells"""

    @property
    def where(self) -> str:
        """The same as an SQL condition."""
        parts: dict[str, Any] = {"activation": self.activation, "depth": self.depth, "width": self.width}
        return " AND ".join(f"{name} = {quoted(value)}" for name, value in (parts | dict(self.probe)).items())

    @property
    def name(self) -> str:
        """The same as a part of a file name; depth and width follow from the rest."""
        return file_name(self.activation, *settings_of(self.unusual))

    def __str__(self) -> str:
        return ", ".join(
            [f"{self.depth} {self.activation} layers of width {self.width}", *settings_of(self.unusual)]
        )


def figures(database: Database) -> list[Figure]:
    """Every chart for the deepest network of every activation, under every probe of the results."""
    return [
        Figure(f"{chart.name}-{network.name}", f"{chart.title}: {network}", chart.caption, picture)
        for network in _networks(database)
        for chart in CHARTS
        if (picture := drawn(chart.draw, database, network)) is not None
    ]


def verdict_map(database: Database) -> AnyChart:
    """The answer at a glance: initializer × depth and width, a panel for each activation."""
    usual = _usual_probe(database)
    columns = ", ".join(["depth", "width", *usual])
    rows = rows_of(
        database,
        f"""SELECT initializer, activation, {columns}, verdict, agreeing, seeds,
            activation_verdict, gradient_verdict FROM summary
            WHERE verdict IS NOT NULL ORDER BY {columns}""",
    )
    for row in rows:
        unusual = settings_of((key, row[key]) for key in usual if row[key] != usual[key])
        row["network"] = ", ".join([f"{row['depth']} × {row['width']}", *unusual])
    order = list(dict.fromkeys(row["network"] for row in rows))
    present = [verdict for verdict in VERDICTS if any(row["verdict"] == verdict for row in rows)]
    return (
        chart_of(rows)
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X("network:N", title="depth × width", sort=order),
            y=alt.Y("initializer:N", title=None, axis=alt.Axis(labelLimit=220)),
            color=alt.Color(
                "verdict:N",
                scale=alt.Scale(domain=present, range=[VERDICT_COLOURS[verdict] for verdict in present]),
            ),
            column=alt.Column("activation:N", title=None),
            tooltip=[
                alt.Tooltip(f"{name}:N")
                for name in (
                    "initializer",
                    "activation",
                    "network",
                    "verdict",
                    "agreeing",
                    "seeds",
                    "activation_verdict",
                    "gradient_verdict",
                )
            ],
        )
        .resolve_scale(x="independent")
        .properties(width=alt.Step(34), height=alt.Step(22))
    )


def _signal(database: Database, network: Network) -> AnyChart | None:
    rows = rows_of(
        database,
        f"""SELECT initializer, layer, avg(h_mean) AS mean, avg(h_std) AS std
            FROM layers WHERE {network.where} AND layer > 0 AND h_std IS NOT NULL
            GROUP BY ALL ORDER BY ALL""",
    )
    if not rows:
        return None
    theory = _theory(database, network, {"mean": "h_mean", "std": "h_std"})
    mean = _lines(rows, theory, "mean", _signed(rows, "mean", "mean of h"))
    return alt.hconcat(mean, _positive_lines(rows, theory, "std", "std of h"))


def _gradients(database: Database, network: Network) -> AnyChart | None:
    rows = rows_of(
        database,
        f"""SELECT initializer, layer, avg(g_std) AS g, avg(weight_grad_norm) AS w
            FROM layers WHERE {network.where} AND layer > 0 AND g_std IS NOT NULL
            GROUP BY ALL ORDER BY ALL""",
    )
    if not rows:
        return None
    last = {row["initializer"]: row["g"] for row in rows if row["layer"] == network.depth}
    theory = [
        row | {"g": row["ratio"] * last[row["initializer"]]}
        for row in _theory(database, network, {"ratio": "g_std_ratio"})
        if row["initializer"] in last and row["ratio"] is not None
    ]
    return alt.hconcat(
        _positive_lines(rows, theory, "g", "std of ∂L/∂h"), _positive_lines(rows, [], "w", "norm of ∂L/∂W")
    )


def _histograms(database: Database, network: Network) -> AnyChart | None:
    cells = rows_of(
        database,
        f"""SELECT initializer, layer, h_histogram AS counts
            FROM layers WHERE {network.where} AND layer > 0 AND h_histogram IS NOT NULL
            AND seed = (SELECT min(seed) FROM layers WHERE {network.where})
            ORDER BY ALL""",
    )
    if not cells:
        return None
    edges = histogram_edges(*histogram_range(network.activation))
    bars = [
        {
            "initializer": cell["initializer"],
            "layer": cell["layer"],
            "low": float(edges[bin_]),
            "high": float(edges[bin_ + 1]),
            # Each panel is scaled to its own highest bar, as in the notes: it is the shape that counts.
            "share": cell["counts"][bin_ + 1] / max(1, *cell["counts"][1:-1]),
        }
        for cell in cells
        for bin_ in range(HISTOGRAM_BINS)
        if cell["counts"][bin_ + 1]
    ]
    ends = alt.Scale(domain=[float(edges[0]), float(edges[-1])])
    return (
        chart_of(bars)
        .mark_rect(color="#0072B2")
        .encode(
            x=alt.X(
                "low:Q",
                scale=ends,
                title=None,
                axis=alt.Axis(values=[float(edges[0]), float(edges[-1])], grid=False),
            ),
            x2=alt.X2("high:Q"),
            y=alt.Y("share:Q", axis=None, scale=alt.Scale(domain=[0, 1])),
            column=alt.Column("layer:O", title="layer", spacing=4),
            row=alt.Row(
                "initializer:N",
                title=None,
                spacing=4,
                header=alt.Header(labelAngle=0, labelAlign="left", labelLimit=200),
            ),
        )
        .properties(width=58, height=44)
    )


def _phase(database: Database, network: Network) -> AnyChart | None:
    if "theory" not in database.views or network.unusual:  # the plane is that of the activation
        return None
    points = rows_of(
        database,
        f"""SELECT initializer, any_value(sigma_w) AS sigma_w, any_value(sigma_b) AS sigma_b,
                mode(verdict ORDER BY verdict) AS verdict
            FROM theory JOIN cells USING ({", ".join(NETWORK_KEYS)})
            WHERE {network.where} AND layer = depth AND chi_1 IS NOT NULL
            GROUP BY initializer ORDER BY initializer""",
    )
    return phase_diagram(activation(network.activation, database.sources), points)


def _theory(database: Database, network: Network, columns: dict[str, str]) -> Rows:
    """Predicted values by layer, under the names that a chart gives them; none where there are none."""
    if "theory" not in database.views:
        return []
    selected = ", ".join(f"{column} AS {name}" for name, column in columns.items())
    return rows_of(
        database,
        f"""SELECT initializer, layer, {selected} FROM theory
            WHERE {network.where} AND layer > 0 ORDER BY ALL""",
    )


CHARTS: tuple[Chart, ...] = (
    Chart(
        "signal",
        "What reaches each layer",
        "Mean and standard deviation of the activations of each layer, averaged over seeds; dashed: theory"
        " for infinite width. A standard deviation of exactly zero has no place on the logarithmic axis and"
        " is left out.",
        _signal,
    ),
    Chart(
        "histograms",
        "Histograms by layer",
        "Activations of each layer, from the first on the left to the last on the right, one row for"
        " each initializer, over the activation's range; first seed. Each panel is scaled to"
        " its own highest bar.",
        _histograms,
    ),
    Chart(
        "gradients",
        "What comes back to each layer",
        "Standard deviation of ∂L/∂h per example, and norm of ∂L/∂W, for a random cotangent N(0, 1) at the"
        " output, averaged over seeds; dashed: theory for infinite width, from the last layer's. Exact zeros"
        " are left out.",
        _gradients,
    ),
    Chart(
        "phase",
        "Where the networks stand",
        "The depth scale of gradients by theory, 1 / |ln χ₁| layers, over the variances of weights and"
        " biases. Blue: the critical line, χ₁ = 1 at a fixed point of q, where it is infinite (dotted where"
        " no network gets to, since its q moves away; for relu a single point at σ_b² = 0, with biases its q"
        " grows without end); gradients vanish on its left and explode on its right. Points: the networks"
        " measured here, by verdict.",
        _phase,
    ),
)


def _usual_probe(database: Database) -> dict[str, Any]:
    """The probe settings in which the cells of the results differ, as most cells have them."""
    counts = ", ".join(f"count(DISTINCT {key}) AS {key}" for key in PROBE_KEYS)
    (row,) = rows_of(database, f"SELECT {counts} FROM cells")
    varying = [key for key in PROBE_KEYS if row[key] > 1]
    if not varying:
        return {}
    keys = ", ".join(varying)
    (usual,) = rows_of(
        database, f"SELECT {keys} FROM cells GROUP BY ALL ORDER BY count(*) DESC, {keys} LIMIT 1"
    )
    return usual


def _networks(database: Database) -> list[Network]:
    """For each activation and probe its deepest network; of several widths the constant and widest one.

    Those that have a single initializer are left out, if others have several.
    """
    usual = _usual_probe(database)
    kind = ", ".join(["activation", *usual])
    rows = rows_of(
        database,
        f"""SELECT DISTINCT ON ({kind}) {kind}, depth, width,
                count(DISTINCT initializer) OVER (PARTITION BY {kind}, depth, width) AS initializers
            FROM (SELECT DISTINCT {kind}, depth, width, initializer FROM layers)
            ORDER BY {kind}, depth DESC, contains(width, '-'),
            CAST(split_part(width, '-', 1) AS INTEGER) DESC""",
    )
    several = [row for row in rows if row["initializers"] > 1]
    return [
        Network(
            row["activation"],
            row["depth"],
            row["width"],
            tuple((key, row[key]) for key in usual),
            tuple((key, row[key]) for key in usual if row[key] != usual[key]),
        )
        for row in several or rows
    ]


def _lines(rows: Rows, theory: Rows, name: str, y: alt.Y) -> AnyChart:
    """What was measured, by layer, and dashed beside it what theory predicts."""
    initializers = sorted({row["initializer"] for row in rows})
    x = alt.X("layer:O", title="layer")
    colour = alt.Color(
        "initializer:N",
        sort=initializers,
        scale=alt.Scale(domain=initializers, scheme="tableau10"),
        legend=alt.Legend(labelLimit=220),
    )
    tooltip = [*tooltips("initializer:N", "layer:O"), alt.Tooltip(f"{name}:Q", format=".4g")]
    measured = chart_of(rows).mark_line(point=True)
    predicted = chart_of([row for row in theory if _is_finite(row[name])])
    # Where theory is right its line lies on the measured one: dark and thin, both can be seen.
    dashed = predicted.mark_line(strokeDash=[5, 4], strokeWidth=1, color="#222")
    return alt.layer(
        measured.encode(x=x, y=y, color=colour, tooltip=tooltip),
        dashed.encode(x=x, y=y, detail=alt.Detail("initializer:N"), tooltip=tooltip),
    ).properties(width=300, height=260)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _positive_lines(rows: Rows, theory: Rows, name: str, title: str) -> AnyChart:
    """Lines on a logarithmic axis, without what has no place on it."""
    positive = [row for row in rows if row[name]]
    # Where nothing is drawn as measured, a prediction would only stretch the axis.
    places = {(row["initializer"], row["layer"]) for row in positive}
    predicted = [row for row in theory if row[name] and (row["initializer"], row["layer"]) in places]
    return _lines(positive, predicted, name, log_axis(positive, name, title))


def _signed(rows: Rows, name: str, title: str) -> alt.Y:
    """A linear axis; logarithmic beyond ±1 where large values would hide all others."""
    smallest, largest = (end(row[name] for row in rows) for end in (min, max))
    size = max(-smallest, largest)
    if size <= 10:
        return alt.Y(f"{name}:Q", title=title)
    powers = [power for power in powers_of_ten(0, math.ceil(math.log10(size))) if power > 1]
    ticks = [-power for power in powers if -smallest >= power]
    ticks += [0.0, *(power for power in powers if largest >= power)]
    axis = alt.Axis(format="~e", values=ticks)
    return alt.Y(f"{name}:Q", title=title, scale=alt.Scale(type="symlog"), axis=axis)
