"""The phase diagram of an activation: where signals converge, where they diverge, and how fast."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from winit.findings.drawing import WIDTH, chart_of, tooltips
from winit.findings.palette import CRITICAL, VERDICTS
from winit.findings.plane import LONGEST, OnLine, Plane, plane_of
from winit.network.activations import Activation

_HEIGHT = 240


def phase_diagram(function: Activation, points: Sequence[dict[str, Any]] = ()) -> Any:
    """An Altair chart of the depth scale of gradients and the critical line.

    ``points`` are measured networks to be drawn over it: initializer, sigma_w, sigma_b, verdict.
    """
    return picture(plane_of(function, points), points)


def picture(plane: Plane, points: Sequence[dict[str, Any]] = ()) -> Any:
    """The Altair chart of a plane and the networks in it."""
    shown = [point for point in points if point["sigma_w"] > 0]
    line, low, high, top = plane.line, plane.low, plane.high, plane.top
    ends = [2.0**low, 2.0**high]
    x = alt.X("low:Q", scale=alt.Scale(type="log", base=2, domain=ends, nice=False), title="σ_w²")
    y = alt.Y("bottom:Q", scale=alt.Scale(domain=[0, top], nice=False), title="σ_b²")
    scale = alt.Scale(type="log", domain=[1, LONGEST], scheme="greys", clamp=True)
    tooltip = [alt.Tooltip(f"{name}:Q", format=".3g") for name in ("chi_1", "q_star")]
    fields = (
        chart_of([field._asdict() for field in plane.fields])
        .mark_rect()
        .encode(
            x=x,
            x2=alt.X2("high:Q"),
            y=y,
            y2=alt.Y2("top:Q"),
            color=alt.Color("depth_scale:Q", scale=scale, title="depth scale |ξ| of gradients"),
            tooltip=[alt.Tooltip("depth_scale:Q", format=".3g"), *tooltip],
        )
    )
    critical = [
        chart_of([_near(row, top) for row in line if row.attracts == attracts])
        .mark_line(color=CRITICAL, strokeWidth=3, strokeDash=[1, 0] if attracts else [2, 4], clip=True)
        .encode(
            x=alt.X("sigma_w2:Q"), y=alt.Y("sigma_b2:Q"), order=alt.Order("q:Q"), detail=alt.Detail("piece:N")
        )
        for attracts in (True, False)
    ]
    verdicts = [name for name in VERDICTS if any(point["verdict"] == name for point in shown)]
    marks = (
        chart_of([_place(point) for point in shown])
        .mark_point(filled=True, size=90, stroke="white", strokeWidth=1, opacity=1)
        .encode(
            x=alt.X("sigma_w2:Q"),
            y=alt.Y("sigma_b2:Q"),
            fill=alt.Fill(
                "verdict:N",
                scale=alt.Scale(domain=verdicts, range=[VERDICTS[name] for name in verdicts]),
            ),
            tooltip=[*tooltips("initializer:N", "verdict:N"), alt.Tooltip("sigma_w2:Q", format=".4g")],
        )
    )
    names = chart_of(_names(shown)).encode(
        x=alt.X("sigma_w2:Q"), y=alt.Y("sigma_b2:Q"), text=alt.Text("names:N")
    )
    beside: dict[str, Any] = {"angle": 270, "align": "left", "dx": 9, "fontSize": 10}
    halo = names.mark_text(**beside, stroke="white", strokeWidth=3, opacity=0.8)
    text = names.mark_text(**beside, color="#222")
    layers = [fields, *critical, *([marks, halo, text] if shown else [])]
    return alt.layer(*layers, width=WIDTH, height=_HEIGHT).resolve_scale(fill="independent")


def _near(row: OnLine, top: float) -> dict[str, Any]:
    """A point of the line, brought near where it is far beyond the picture, which no renderer likes."""
    return row._asdict() | {"sigma_b2": float(np.clip(row.sigma_b2, -top, 2 * top))}


def _place(point: dict[str, Any]) -> dict[str, Any]:
    return point | {"sigma_w2": point["sigma_w"] ** 2, "sigma_b2": point["sigma_b"] ** 2}


def _names(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What stands beside the points: those in one place share a line."""
    places: dict[tuple[float, float], list[str]] = {}
    for point in points:
        place = tuple(float(f"{point[name] ** 2:.3g}") for name in ("sigma_w", "sigma_b"))
        places.setdefault((place[0], place[1]), []).append(point["initializer"])
    return [
        {"sigma_w2": place[0], "sigma_b2": place[1], "names": ", ".join(names)}
        for place, names in places.items()
    ]
