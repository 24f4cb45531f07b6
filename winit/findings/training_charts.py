"""Figures of what was trained: what became of each network, loss and accuracy by step, trainability."""

from collections import Counter
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
from winit.findings.trainability import trainability_map
from winit.sweep.schema import TASK_KEYS
from winit.sweep.verdicts import TRAINING_VERDICTS

VERDICT_COLOURS = dict(zip(TRAINING_VERDICTS, ("#D55E00", "#CC79A7", "#009E73", "#0072B2"), strict=True))
"""Okabe & Ito's palette, safe for the colour-blind."""

# What the runs in one figure share: all but initializer, depth and seed.
_SHARED = ("data", "activation", "width", "learning_rate", *(key for key in TASK_KEYS if key != "data"))


def figures(database: Database) -> list[Figure]:
    """What became of all networks; then every chart for each kind of runs of several initializers."""
    if "training_runs" not in database.views:
        return []
    keys = ", ".join(_SHARED)
    found = rows_of(
        database,
        f"""SELECT {keys}, count(DISTINCT initializer) > 1 AS several FROM training_runs
            WHERE status = 'ok' GROUP BY {keys} ORDER BY {keys}""",
    )
    if not found:
        return []
    # As with what is pushed through: a single initializer is drawn where there is nothing to compare.
    kinds = [row for row in found if row["several"]] or found
    for kind in kinds:
        del kind["several"]
    overview = Figure(_VERDICTS.name, _VERDICTS.title, _VERDICTS.caption, drawn(_VERDICTS.draw, database))
    made = [overview]
    for kind in kinds:
        where = " AND ".join(f"{name} = {quoted(value)}" for name, value in kind.items())
        label = _label(kind, kinds)
        for chart in CHARTS:
            picture = drawn(chart.draw, database, kind, where)
            if picture is not None:
                title = f"{chart.title}: {', '.join(label)}"
                made.append(Figure(file_name(chart.name, *label), title, chart.caption, picture))
    return made


def _label(kind: dict[str, Any], kinds: Rows) -> list[str]:
    """Data and activation, and of the rest what tells this kind of runs from others of the two."""
    alike = [other for other in kinds if all(other[key] == kind[key] for key in _SHARED[:2])]
    telling = [key for key in _SHARED[2:] if len({other[key] for other in alike}) > 1]
    return [kind["data"], kind["activation"], *settings_of((key, kind[key]) for key in telling)]


def _verdicts(database: Database) -> AnyChart:
    rows = rows_of(
        database,
        f"""SELECT initializer, data, activation, depth, width, learning_rate,
                mode(verdict ORDER BY verdict) AS verdict, count(*) AS runs,
                avg(final_accuracy) AS accuracy, {", ".join(TASK_KEYS[1:])}
            FROM training_runs WHERE status = 'ok' GROUP BY ALL
            ORDER BY depth, width, learning_rate, steps DESC, batch, initializer, activation, data""",
    )
    # What most networks have goes without saying.
    settings = [tuple((key, row[key]) for key in TASK_KEYS if key not in {"data", "outputs"}) for row in rows]
    usual = Counter(settings).most_common(1)[0][0]
    for row, own in zip(rows, settings, strict=True):
        row["problem"] = f"{row['data']}, {row['activation']}"
        network = f"{row['depth']} × {row['width']}, η {row['learning_rate']:g}"
        row["network"] = ", ".join([network, *settings_of(pair for pair in own if pair not in usual)])
    present = [verdict for verdict in TRAINING_VERDICTS if any(row["verdict"] == verdict for row in rows)]
    return (
        chart_of(rows)
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X(
                "network:N",
                title="depth × width, learning rate η",
                sort=list(dict.fromkeys(row["network"] for row in rows)),
            ),
            y=alt.Y("initializer:N", title=None, axis=alt.Axis(labelLimit=240)),
            color=alt.Color(
                "verdict:N",
                scale=alt.Scale(domain=present, range=[VERDICT_COLOURS[verdict] for verdict in present]),
            ),
            column=alt.Column("problem:N", title=None, spacing=8),
            tooltip=[
                *tooltips("initializer:N", "problem:N", "network:N", "verdict:N", "runs:Q"),
                alt.Tooltip("accuracy:Q", title="held-out accuracy", format=".3f"),
            ],
        )
        .resolve_scale(x="independent")
        .properties(width=alt.Step(20), height=alt.Step(20))
    )


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
    colour = alt.Color(
        "initializer:N",
        scale=alt.Scale(domain=initializers, scheme="tableau10"),
        legend=alt.Legend(labelLimit=240),
    )
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
            .mark_line(point=alt.OverlayMarkDef(size=18))
            .encode(x=x, y=y, color=colour, tooltip=tooltip)
            for drawn_rows, y in ((positive, log_axis(positive, "loss", "loss")), (of_depth, share))
        )
        title = f"{depth} hidden layer{'s' if depth != 1 else ''}"
        panels.append(
            alt.vconcat(
                loss.properties(width=210, height=170, title=title),
                accuracy.properties(width=210, height=120),
            )
        )
    return alt.hconcat(*panels)


_VERDICTS = Chart(
    "training-verdicts",
    "What became of training",
    "Networks trained by plain gradient descent, the most frequent verdict of the seeds. Loss at the end"
    " below half of what guessing costs: trains; every hidden layer one unit at every recorded step: stays"
    " symmetric; not finite, or ten times what it was: diverges; else: stalls.",
    _verdicts,
)

CHARTS: tuple[Chart, ...] = (
    Chart(
        "training-curves",
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
