"""The evidence for each claim, drawn: the value of every seed, their mean, and where it must be."""

import math

import altair as alt

from winit.findings.claims.tested import Row, by_topic, measured
from winit.findings.database import Database
from winit.findings.drawing import PAGE, WIDTH, AnyChart, Figure, chart_of, drawn, powers_of_ten
from winit.findings.names import file_name
from winit.findings.palette import BAND, CLAIM_VERDICTS

# Beyond so large a ratio of the numbers in it an axis is logarithmic.
_MANY_DECADES = 30.0
NAME = "claims"
CAPTION = (
    "Points: one seed each; bar: the mean with its 95 % confidence interval; shaded: where the mean must be"
    " for the claim to hold."
)


def figures(database: Database) -> dict[str, Figure]:
    """For each topic a figure, with a strip for each of its claims that was tested."""
    if "claims" not in database.views:
        return {}
    found = {}
    for topic, rows in by_topic(database.sql("FROM claims").to_arrow_table()).items():
        shown = [row for row in rows if row["value"] is not None]
        if shown:
            name = file_name(NAME, *topic.lower().replace(",", "").split())
            found[topic] = Figure(name, f"Evidence: {topic}", CAPTION, drawn(_strips, shown), size=PAGE)
    return found


def _strips(rows: list[Row]) -> AnyChart:
    return alt.vconcat(*map(_strip, rows), spacing=6)


def _strip(row: Row) -> AnyChart:
    low, high = (row["value"] if row[end] is None else row[end] for end in ("value_low", "value_high"))
    ends = (low, high, row["threshold_low"], row["threshold_high"])
    domain, scale, axis = _axis([*row["values"], *filter(math.isfinite, ends)])
    low, high = max(low, domain[0]), min(high, domain[1])
    x, end = alt.X("from:Q", title=None, scale=scale, axis=axis), alt.X2("to:Q")
    band = {"from": max(row["threshold_low"], domain[0]), "to": min(row["threshold_high"], domain[1])}
    within = chart_of([band])
    if band["from"] == band["to"]:  # exactly one value
        shaded = within.mark_rule(color=BAND, strokeWidth=4).encode(x=x)
    else:
        shaded = within.mark_rect(color=BAND, opacity=0.3).encode(x=x, x2=end)
    colour = CLAIM_VERDICTS[row["verdict"]]
    mean = chart_of([{"from": low, "to": high, "mean": measured(row)}])
    interval = mean.mark_rule(color=colour, strokeWidth=3).encode(x=x, x2=end, tooltip=alt.Tooltip("mean:N"))
    seeds = (
        chart_of([{"from": value} for value in row["values"]])
        .mark_point(size=36, color=colour)
        .encode(x=x, tooltip=alt.Tooltip("from:Q", title="one seed", format=".5g"))
    )
    title = alt.Title(
        row["statement"],
        subtitle=f"{row['verdict']}: {measured(row)}, must be {row['threshold']} ({row['measures']})",
        anchor="start",
        subtitleColor=colour,
    )
    return alt.layer(shaded, interval, seeds, width=WIDTH, height=20, title=title)


def _axis(numbers: list[float]) -> tuple[list[float], alt.Scale, alt.Axis]:
    """The ends of the axis, its scale, and its ticks."""
    low, high = min(numbers), max(numbers)
    if low > 0 and high / low > _MANY_DECADES:
        # Half a decade at least on either side, so that no bound is an end.
        first, last = math.floor(math.log10(low) - 0.5), math.ceil(math.log10(high) + 0.5)
        domain = [10.0**first, 10.0**last]
        axis = alt.Axis(format="~e", values=powers_of_ten(first, last), grid=False)
        return domain, alt.Scale(type="log", domain=domain, nice=False), axis
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    domain = [low - margin, high + margin]
    return domain, alt.Scale(domain=domain, nice=False), alt.Axis(format="~g", tickCount=6, grid=False)
