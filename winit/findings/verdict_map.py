"""The answer at a glance: the verdict on every network, initializer × depth and width."""

import math
from typing import Any

import altair as alt

from winit.findings.drawing import COLUMNS, KEYS, NAMES, PAGE, WIDTH, AnyChart, Figure, Rows, drawn
from winit.findings.palette import INK, PAPER, VERDICTS

SIGNS = {
    "healthy": "✓",
    "saturated": "S",
    "exploding": "↑",
    "vanishing": "↓",
    "dead": "×",
    "symmetric": "=",
    "broken": "!",
}
"""What stands in a field, for those who do not see its colour."""

_HEIGHT: Any = "@height"
_SIGNS = "@signs"
# In a file: the height of a row, the least width of a field, and what the names take of the page.
_STEP, _NARROWEST, _BESIDE = 14, 12, 160

NAME, TITLE = "verdicts", "The verdict on every network"
CAPTION = (
    "The most frequent verdict of a network's seeds, the worse of that on its activations and that on its"
    " gradients; paler where seeds disagree."
)


def rows_of_map(networks: Rows) -> Rows:
    """A field for each network that has a verdict."""
    return [
        {
            "number": row["number"],
            "initializer": row["initializer"],
            "activation": row["activation"],
            "place": row["place"],
            "verdict": row["verdict"],
            "sign": SIGNS[row["verdict"]],
            "forward": row["activation_verdict"],
            "backward": row["gradient_verdict"],
            "agreement": row["agreeing"] / row["seeds"],
            "seeds": f"{row['agreeing']} of {row['seeds']}",
        }
        for row in networks
        if row["verdict"]
    ]


def define() -> AnyChart:
    """The chart, over the data set ``networks``."""
    # In the order of the numbers: by depth, then width.
    x = alt.X(
        "place:N",
        title="depth × width",
        sort=alt.EncodingSortField("number", op="min"),
        axis=alt.Axis(labelOverlap="greedy", labelAngle=-90),
    )
    y = alt.Y("initializer:N", title=None, axis=alt.Axis(labelLimit=NAMES))
    colours = alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values()))
    colour = alt.Color(
        "verdict:N", scale=colours, title=None, legend=alt.Legend(columns=KEYS, symbolOpacity=1)
    )
    tooltip = [
        *(alt.Tooltip(f"{name}:N") for name in ("initializer", "activation", "place", "verdict")),
        alt.Tooltip("forward:N", title="activations"),
        alt.Tooltip("backward:N", title="gradients"),
        alt.Tooltip("seeds:N", title="seeds agreeing"),
    ]
    fields = alt.Chart(alt.NamedData("networks")).encode(x=x, y=y, tooltip=tooltip)
    rect = fields.mark_rect(cursor="pointer").encode(
        color=colour,
        opacity=alt.Opacity("agreement:Q", scale=alt.Scale(domain=[0, 1], range=[0.2, 1]), legend=None),
        stroke=alt.condition(_CHOSEN, alt.value(INK), alt.value(PAPER)),
        strokeWidth=alt.condition(_CHOSEN, alt.value(3), alt.value(1)),
    )
    text = fields.mark_text(fontSize=10, fontWeight="bold").encode(
        text=alt.Text("sign:N"),
        opacity=alt.value(_SIGNS),
        color=_SIGN_COLOUR,
    )
    panel = alt.layer(rect, text, width=WIDTH, height=_HEIGHT).add_params(alt.param("chosen", value=[]))
    return panel.facet(alt.Facet("activation:N", title=None), columns=COLUMNS).resolve_scale(x="independent")


_SIGN_COLOUR: Any = {
    "condition": [
        {"test": "datum.verdict === 'vanishing'", "value": "#ffffff"},
        {"test": "datum.verdict === 'broken'", "value": PAPER},
    ],
    "value": "#000000",
}
_CHOSEN = "indexof(chosen, datum.number) >= 0"


def figure(networks: Rows) -> Figure | None:
    """For a paper; None where no network has a verdict."""
    rows = rows_of_map(networks)
    if not rows:
        return None
    activations = {row["activation"] for row in rows}
    widest = max(len({row["place"] for row in rows if row["activation"] == each}) for each in activations)
    columns = max(1, min(len(activations), math.floor((PAGE - _BESIDE) / (_NARROWEST * widest))))
    holes = {_HEIGHT: {"step": _STEP}, _SIGNS: 1}
    return Figure(
        "verdicts", TITLE, CAPTION, drawn(define), {"networks": rows}, holes, PAGE, len(activations), columns
    )
