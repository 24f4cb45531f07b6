"""The trainability map: how well networks train over σ_w and depth, beside the depth scale that theory gives.

Schoenholz et al. 2017: a network can be trained to about the depth to which signals reach through it, a few
times ξ_c.
"""

import itertools
import math
from typing import Any

import altair as alt

from winit.findings.database import Database
from winit.findings.drawing import WIDTH, AnyChart, Rows, chart_of, rows_of, tooltips
from winit.findings.own import Curve, Functions, curve_of, functions_in, is_own, scale_of
from winit.network.activations import activation
from winit.network.initializers import initializer

MULTIPLES = {1: "#000000", 3: "#D55E00", 6: "#CC79A7"}
"""Of ξ_c, drawn over the map, and their colours; Schoenholz et al. find networks trainable to about 6 ξ_c."""
# A map needs so many σ_w and depths.
_LEAST_ACROSS, _LEAST_UP = 4, 3
_HEIGHT = 240

Ends = tuple[float, float]


def trainability_map(database: Database, shared: dict[str, Any], where: str) -> AnyChart | None:
    """Depth × σ_w, of the runs ``where`` that have the σ_b of most; None where they are too few for a map.

    ``shared`` has the settings that the runs share.
    """
    runs = rows_of(
        database,
        f"""SELECT initializer, depth, avg(final_accuracy) AS accuracy,
                mode(verdict ORDER BY verdict) AS verdict
            FROM training_runs WHERE {where} AND status = 'ok' AND depth > 0
            GROUP BY ALL ORDER BY ALL""",
    )
    labels = sorted({row["initializer"] for row in runs})
    own = functions_in(database.folder) if any(map(is_own, [shared["activation"], *labels])) else Functions()
    scales = {label: _scale(label, shared, own) for label in labels}
    biases = [scale[1] for scale in scales.values() if scale]
    if not biases:
        return None
    sigma_b = max(sorted(set(biases)), key=biases.count)
    points = _by_place(
        [
            row | {"sigma_w": scale[0]}
            for row in runs
            if (scale := scales[row["initializer"]]) and scale[1] == sigma_b
        ]
    )
    across, up = (sorted({row[name] for row in points}) for name in ("sigma_w", "depth"))
    if len(across) < _LEAST_ACROSS or len(up) < _LEAST_UP:
        return None
    columns = dict(zip(across, _fields(across), strict=True))
    lines = [tuple(map(math.exp, ends)) for ends in _fields([math.log(depth) for depth in up])]
    rows = dict(zip(up, lines, strict=True))
    for row in points:
        row["left"], row["right"] = columns[row["sigma_w"]]
        row["bottom"], row["top"] = rows[row["depth"]]
    ends_x = (columns[across[0]][0], columns[across[-1]][1])
    ends_y = (rows[up[0]][0], rows[up[-1]][1])
    curves = _depth_scales(_curve(shared, sigma_b, ends_x, own), ends_y)
    layers = (_plane(points, across, up, ends_x, ends_y), _curves(curves, sigma_b))
    return alt.layer(*layers, width=WIDTH, height=_HEIGHT).resolve_scale(stroke="independent")


def _by_place(rows: Rows) -> Rows:
    """One row for each σ_w and depth: the mean of the initializers that meet there."""
    places: dict[tuple[float, int], Rows] = {}
    for row in rows:
        places.setdefault((row["sigma_w"], row["depth"]), []).append(row)
    return [
        {
            "sigma_w": sigma_w,
            "depth": depth,
            "accuracy": sum(row["accuracy"] for row in there) / len(there),
            "initializers": ", ".join(row["initializer"] for row in there),
            "verdicts": ", ".join(dict.fromkeys(row["verdict"] for row in there)),
        }
        for (sigma_w, depth), there in places.items()
    ]


def _plane(points: Rows, across: list[float], up: list[int], ends_x: Ends, ends_y: Ends) -> AnyChart:
    """The fields, by held-out accuracy."""
    return (
        chart_of(points)
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X(
                "left:Q",
                title="σ_w",
                scale=alt.Scale(domain=ends_x, nice=False),
                axis=alt.Axis(values=across, format=".4~g"),
            ),
            x2=alt.X2("right:Q"),
            y=alt.Y(
                "bottom:Q",
                title="hidden layers",
                scale=alt.Scale(type="log", domain=ends_y, nice=False),
                axis=alt.Axis(values=up, format="~g"),
            ),
            y2=alt.Y2("top:Q"),
            color=alt.Color(
                "accuracy:Q", scale=alt.Scale(domain=[0, 1], scheme="viridis"), title="held-out accuracy"
            ),
            tooltip=[
                *tooltips("initializers:N", "depth:Q", "verdicts:N"),
                alt.Tooltip("accuracy:Q", format=".3f"),
            ],
        )
    )


def _curves(curves: Rows, sigma_b: float) -> AnyChart:
    """The multiples of ξ_c."""
    drawn = {row["multiple"] for row in curves}
    colours = {f"{k} ξ_c": colour for k, colour in MULTIPLES.items() if f"{k} ξ_c" in drawn}
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    legend = alt.Legend(symbolType="stroke", symbolStrokeWidth=3)
    return (
        chart_of(curves)
        .mark_line(clip=True, strokeWidth=2.5)
        .encode(
            x=alt.X("sigma_w:Q"),
            y=alt.Y("depth:Q"),
            stroke=alt.Stroke("multiple:N", title=f"theory, σ_b = {sigma_b:g}", scale=scale, legend=legend),
        )
    )


def _scale(label: str, shared: dict[str, Any], own: Functions) -> Ends | None:
    """σ_w and σ_b of an inner layer; None where its weights are not i.i.d. with mean 0."""
    if is_own(label) or is_own(shared["activation"]):
        return own.scale(label, shared["activation"], shared["width"], shared["bias_std"])
    return scale_of(initializer(label), activation(shared["activation"]), shared["width"], shared["bias_std"])


def _curve(shared: dict[str, Any], sigma_b: float, ends: Ends, own: Functions) -> Curve:
    """ξ_c over σ_w."""
    if is_own(shared["activation"]):
        return own.curve(shared["activation"], sigma_b)
    return curve_of(activation(shared["activation"]), sigma_b, *ends)


def _fields(middles: list[float]) -> list[Ends]:
    """The ends of neighbouring fields around these middles."""
    between = [sum(pair) / 2 for pair in itertools.pairwise(middles)]
    first, last = 2 * middles[0] - between[0], 2 * middles[-1] - between[-1]
    return list(itertools.pairwise([first, *between, last]))


def _depth_scales(curve: Curve, ends: Ends) -> Rows:
    """A curve times each of the multiples, brought near where it is far beyond the map."""
    return [
        {"multiple": f"{k} ξ_c", "sigma_w": sigma_w, "depth": min(max(k * xi, ends[0] / 4), ends[1] * 4)}
        for k in MULTIPLES
        for sigma_w, xi in curve
    ]
