"""The phase diagram of an activation: where signals converge, where they diverge, and how fast.

Over (σ_w², σ_b²), after Schoenholz et al. 2017: on the left of the critical line, χ₁ = 1, is the ordered
phase, in which gradients vanish; on its right the chaotic one, in which they explode.
"""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from winit.findings.drawing import WIDTH, chart_of, tooltips
from winit.findings.palette import CRITICAL, VERDICTS
from winit.network.activations import Activation
from winit.network.meanfield import phase_plane
from winit.network.quadrature import derivative, expectation

# Fields of the map, and the octaves of σ_w² on either side of the middle that it shows at least.
_COLUMNS, _ROWS, _OCTAVES = 72, 24, 3.0
_HIGHEST = 0.5  # of σ_b², at least
_SHORTEST, _LONGEST = 0.01, 100.0  # depth scales beyond are drawn as these
# The middle where an activation has no critical line.
_MIDDLE = 1.0
_LINE_Q = np.logspace(-8, 8, 600)
_ROUNDING = 1e-12  # of σ_b², relative to q
_MARGIN = 1e-4  # of V' ≤ 1, relative to q: what starts at 1 from q = 0 may go above
_HEIGHT = 240
_OVERLAP = 1.02  # of neighbouring fields, so that no seam shows


def phase_diagram(function: Activation, points: Sequence[dict[str, Any]] = ()) -> Any:
    """An Altair chart of the depth scale of gradients and the critical line.

    ``points`` are measured networks to be drawn over it: initializer, sigma_w, sigma_b, verdict.
    """
    line = _critical_line(function)
    reached = [row for row in line if row["sigma_b2"] >= -_ROUNDING * row["q"]]
    middle = reached[0]["sigma_w2"] if reached else _MIDDLE
    shown = [point for point in points if point["sigma_w"] > 0]
    places = [math.log2(point["sigma_w"] ** 2) for point in shown]
    low = min(math.log2(middle) - _OCTAVES, *places, *([math.log2(middle)] * 2)) - 0.3
    high = max(math.log2(middle) + _OCTAVES, *places, *([math.log2(middle)] * 2)) + 0.3
    top = max(_HIGHEST, *(1.1 * point["sigma_b"] ** 2 for point in shown), 0.0)
    fields = _fields(function, np.linspace(low, high, _COLUMNS + 1), np.linspace(0, top, _ROWS + 1))
    ends = [2.0**low, 2.0**high]
    x = alt.X("low:Q", scale=alt.Scale(type="log", base=2, domain=ends, nice=False), title="σ_w²")
    y = alt.Y("bottom:Q", scale=alt.Scale(domain=[0, top], nice=False), title="σ_b²")
    scale = alt.Scale(type="log", domain=[1, _LONGEST], scheme="greys", clamp=True)
    tooltip = [alt.Tooltip(f"{name}:Q", format=".3g") for name in ("chi_1", "q_star")]
    plane = (
        chart_of(fields)
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
        chart_of([_near(row, top) for row in line if row["attracts"] == attracts])
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
    layers = [plane, *critical, *([marks, halo, text] if shown else [])]
    return alt.layer(*layers, width=WIDTH, height=_HEIGHT).resolve_scale(fill="independent")


def _near(row: dict[str, Any], top: float) -> dict[str, Any]:
    """A point of the line, brought near where it is far beyond the picture, which no renderer likes."""
    return row | {"sigma_b2": float(np.clip(row["sigma_b2"], -top, 2 * top))}


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


def _critical_line(function: Activation) -> list[dict[str, Any]]:
    """Where χ₁ = 1, in the order of q, and whether networks go there.

    By q: σ_w² = 1 / E φ'², σ_b² = q − σ_w² E φ². Where that is below 0 no bias reaches it: it is cut off
    in the picture, but the line comes from there.
    """
    q = _LINE_Q
    with np.errstate(all="ignore"):
        sigma_w2 = 1 / expectation(function, q, slope=2)
        sigma_b2 = q - sigma_w2 * expectation(function, q, h=2)
        attracts = sigma_w2 * derivative(function, q, 1, h=2) <= 1 + _MARGIN * (1e-8 + np.minimum(q, 1))
    pieces = np.cumsum(np.diff(attracts, prepend=attracts[0]) != 0)
    return [
        {
            "q": float(q[i]),
            "sigma_w2": float(sigma_w2[i]),
            "sigma_b2": float(sigma_b2[i]),
            "attracts": bool(attracts[i]),
            "piece": int(pieces[i]),
        }
        for i in np.flatnonzero(np.isfinite(sigma_w2) & np.isfinite(sigma_b2))
    ]


def _fields(function: Activation, across: Any, up: Any) -> list[dict[str, float | None]]:
    """The fields of the map, between neighbours of the exponents of σ_w² and of σ_b²."""
    columns, rows = 2.0 ** ((across[1:] + across[:-1]) / 2), (up[1:] + up[:-1]) / 2
    plane = phase_plane(function, columns, rows)
    with np.errstate(divide="ignore"):
        depth_scale = np.clip(1 / np.abs(np.log(plane.chi_1)), _SHORTEST, _LONGEST)
    return [
        {
            "low": float(2.0 ** across[i]),
            "high": float(2.0 ** across[i + 1] * _OVERLAP),
            "bottom": float(up[j]),
            "top": float(up[j] + (up[j + 1] - up[j]) * _OVERLAP),
            "depth_scale": round(float(depth_scale[j, i]), 4),
            "chi_1": round(float(plane.chi_1[j, i]), 5),
            "q_star": float(f"{plane.q_star[j, i]:.4g}") if np.isfinite(plane.q_star[j, i]) else None,
        }
        for j in range(len(rows))
        for i in range(len(columns))
        if np.isfinite(depth_scale[j, i])
    ]
