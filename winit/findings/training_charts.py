"""Figures of what was trained: what became of each network, loss and accuracy by step, trainability."""

from collections import Counter
from typing import Any

import altair as alt

from winit.findings.database import Database, quoted
from winit.findings.drawing import (
    COLUMN,
    COLUMNS,
    KEYS,
    NAMES,
    PAGE,
    WIDTH,
    AnyChart,
    Chart,
    Figure,
    Inline,
    Rows,
    chart_of,
    drawn,
    log_axis,
    powers_of_ten,
    rows_of,
    settings_of,
    tooltips,
)
from winit.findings.names import file_name
from winit.findings.palette import PAPER, SERIES, SHAPES
from winit.findings.palette import TRAINING_VERDICTS as VERDICTS
from winit.findings.trainability import trainability_map
from winit.sweep.schema import SIZE_ORDER, TASK_KEYS

# What the runs in one figure share: all but initializer, depth and seed.
_ALWAYS = ("data", "activation", "width", "learning_rate")
_SHARED = (*_ALWAYS, *(key for key in TASK_KEYS if key != "data"))
_WIDTH_ORDER = SIZE_ORDER[1:]


def figures(database: Database) -> list[Figure]:
    """What became of all networks; then every chart for each kind of runs of several initializers."""
    if "training_runs" not in database.views:
        return []
    keys = ", ".join(_SHARED)
    order = ", ".join(", ".join(_WIDTH_ORDER) if key == "width" else key for key in _SHARED)
    found = rows_of(
        database,
        f"""SELECT {keys}, count(DISTINCT initializer) > 1 AS several FROM training_runs
            WHERE status = 'ok' GROUP BY {order} ORDER BY {order}""",
    )
    if not found:
        return []
    # As with what is pushed through: a single initializer is drawn where there is nothing to compare.
    kinds = [row for row in found if row["several"]] or found
    for kind in kinds:
        del kind["several"]
    made = [_overview(database)]
    for kind in kinds:
        where = " AND ".join(f"{name} = {quoted(value)}" for name, value in kind.items())
        label = _label(kind, kinds)
        for chart in CHARTS:
            picture = drawn(chart.draw, database, kind, where)
            if picture is not None:
                panels = len(picture["concat"]) if isinstance(picture, alt.ConcatChart) else 1
                made.append(
                    Figure(
                        file_name(chart.name, *label),
                        chart.title,
                        chart.caption,
                        picture,
                        size=PAGE if panels > 1 else COLUMN,
                        most=_ACROSS,
                        panels=panels,
                        longest=max(len(label) for label in _initializers(database, where)),
                        of=", ".join(label),
                    )
                )
    return made


def _initializers(database: Database, where: str) -> list[str]:
    rows = rows_of(database, f"SELECT DISTINCT initializer FROM training_runs WHERE {where}")
    return [row["initializer"] for row in rows]


def _label(kind: dict[str, Any], kinds: Rows) -> list[str]:
    """Data, activation, width and learning rate, and of the task what tells this kind of runs from others."""
    alike = [other for other in kinds if all(other[key] == kind[key] for key in _ALWAYS)]
    telling = [key for key in _SHARED if key not in _ALWAYS and len({other[key] for other in alike}) > 1]
    shown = (*_ALWAYS[2:], *telling)
    return [kind["data"], kind["activation"], *settings_of((key, kind[key]) for key in shown)]


def _overview(database: Database) -> Figure:
    """What became of every network."""
    rows = _verdicts(database)
    panels = len({row["problem"] for row in rows})
    return Figure(
        OVERVIEW,
        _OVERVIEW_TITLE,
        OVERVIEW_CAPTION,
        drawn(_map, rows),
        size=PAGE,
        panels=panels,
        most=_ACROSS,
        named=True,
    )


def _verdicts(database: Database) -> Rows:
    rows = rows_of(
        database,
        f"""SELECT initializer, data, activation, {", ".join(SIZE_ORDER)}, learning_rate,
                mode(verdict ORDER BY verdict) AS verdict, count(*) AS runs,
                avg(final_accuracy) AS accuracy, {", ".join(TASK_KEYS[1:])}
            FROM training_runs WHERE status = 'ok' GROUP BY ALL
            ORDER BY {", ".join(SIZE_ORDER)}, learning_rate, steps DESC, batch, initializer, activation,
                data""",
    )
    # What most networks have goes without saying.
    settings = [tuple((key, row[key]) for key in TASK_KEYS if key not in {"data", "outputs"}) for row in rows]
    usual = Counter(settings).most_common(1)[0][0]
    for row, own in zip(rows, settings, strict=True):
        row["problem"] = f"{row['data']}, {row['activation']}"
        network = f"{row['depth']} × {row['width']}, η {row['learning_rate']:g}"
        row["network"] = ", ".join([network, *settings_of(pair for pair in own if pair not in usual)])
    return rows


_SIGNS = {"trains": "✓", "stalls": "–", "stays symmetric": "=", "diverges": "↑"}


def _map(rows: Rows) -> AnyChart:
    """Initializer × network, a panel for each problem."""
    order = list(dict.fromkeys(row["network"] for row in rows))
    x = alt.X("network:N", title="depth × width, learning rate η", sort=order, axis=alt.Axis(labelAngle=-90))
    y = alt.Y("initializer:N", title=None, axis=alt.Axis(labelLimit=NAMES))
    scale = alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values()))
    tooltip = [
        *tooltips("initializer:N", "problem:N", "network:N", "verdict:N", "runs:Q"),
        alt.Tooltip("accuracy:Q", title="held-out accuracy", format=".3f"),
    ]
    for row in rows:
        row["sign"] = _SIGNS[row["verdict"]]
    fields = alt.Chart().encode(x=x, y=y, tooltip=tooltip)
    rect = fields.mark_rect(stroke=PAPER).encode(
        color=alt.Color("verdict:N", scale=scale, title=None, legend=alt.Legend(columns=KEYS))
    )
    sign = fields.mark_text(fontSize=10, fontWeight="bold", color="#000000").encode(text=alt.Text("sign:N"))
    panel = alt.layer(rect, sign, data=alt.Data(values=Inline(rows)), width=WIDTH, height=alt.Step(14))
    facet = alt.Facet("problem:N", title=None)
    return panel.facet(facet, columns=COLUMNS).resolve_scale(x="independent")


def _curves(database: Database, _: dict[str, Any], where: str) -> AnyChart | None:
    rows = rows_of(
        database,
        f"""SELECT initializer, depth, step, avg(loss) AS loss, avg(accuracy) AS accuracy, count(*) AS runs
            FROM training WHERE {where} AND layer = depth + 1 AND loss IS NOT NULL
            GROUP BY ALL ORDER BY ALL""",
    )
    if not rows:
        return None
    initializers = sorted({row["initializer"] for row in rows})
    # The colours of the report's comparison; beyond eight networks shapes tell those of one colour apart.
    styles = {}
    for name, channel, values in (("color", alt.Color, SERIES), ("shape", alt.Shape, SHAPES)):
        scale = alt.Scale(
            domain=initializers, range=[values[k % len(values)] for k in range(len(initializers))]
        )
        styles[name] = channel("initializer:N", scale=scale, legend=alt.Legend(columns=KEYS, title=None))
    steps = [step for step in powers_of_ten(0, 9) if step <= max((row["step"] for row in rows), default=0)]
    x = alt.X("step:Q", scale=alt.Scale(type="symlog"), axis=alt.Axis(values=[0, *steps], grid=False))
    share = alt.Y("accuracy:Q", title="held-out accuracy", scale=alt.Scale(domain=[0, 1]))
    tooltip = [
        *tooltips("initializer:N", "step:Q", "runs:Q"),
        alt.Tooltip("loss:Q", format=".4g"),
        alt.Tooltip("accuracy:Q", format=".3f"),
    ]
    panels = []
    for depth in sorted({row["depth"] for row in rows}):
        of_depth = [row for row in rows if row["depth"] == depth]
        positive = [row for row in of_depth if row["loss"] > 0]
        loss, accuracy = (
            chart_of(drawn_rows)
            .mark_line(point=alt.OverlayMarkDef(size=22, filled=True), strokeWidth=1.5)
            .encode(x=x, y=y, tooltip=tooltip, **styles)
            for drawn_rows, y in ((positive, log_axis(positive, "loss", "loss")), (of_depth, share))
        )
        title = f"{depth} hidden layer{'s' if depth != 1 else ''}"
        panels.append(
            alt.vconcat(
                _sized(loss, 130, title=title),
                _sized(accuracy, 90),
            )
        )
    return alt.concat(*panels, columns=COLUMNS)


def _sized(chart: alt.Chart, height: int, **more: Any) -> alt.Chart:
    for name, value in ({"width": WIDTH, "height": height} | more).items():
        chart[name] = value
    return chart


_ACROSS = 3  # panels side by side in a file

OVERVIEW, _OVERVIEW_TITLE = "training", "What became of training"
OVERVIEW_CAPTION = (
    "Networks trained by plain gradient descent, the most frequent verdict of the seeds. Loss at the end"
    " below half of what guessing costs: trains; every hidden layer one unit at every recorded step: stays"
    " symmetric; not finite, or ten times what it was: diverges; else: stalls."
)

CHARTS: tuple[Chart, ...] = (
    Chart(
        "curves",
        "Loss and accuracy",
        "Mean cross-entropy over all training examples, and accuracy on held-out ones, by step, averaged over"
        " seeds. A run that diverged ends where it did; a loss of exactly zero has no place on its axis.",
        _curves,
    ),
    Chart(
        "trainability",
        "Trainability",
        "Held-out accuracy after training, over σ_w and depth. The lines are multiples of ξ_c, the depth over"
        " which, by theory, the correlation of two inputs nears its limit by a factor e: some ξ_c deep, a"
        " network sees all inputs as one, or all as strangers.",
        trainability_map,
    ),
)
