"""The report: one HTML file that needs no network, drawn by the library inside it.

``web/`` has its parts: the template, the style, and the scripts that answer the reader's choices.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from winit.findings import charts, html, palette, profiles, training_charts, verdict_map
from winit.findings.claims import evidence
from winit.findings.claims.tested import by_topic, claims_of, in_numbers, measured
from winit.findings.database import Database
from winit.findings.drawing import Figure, Rows, drawn
from winit.findings.layer_charts import LAYER_CHARTS, OUTLINES
from winit.findings.networks import NUMBERED, networks, place_of
from winit.findings.notes import SOURCE, notes_table
from winit.findings.ranking import answers_of
from winit.findings.together import check_together
from winit.network.summaries import HISTOGRAM_BINS, MAGNITUDE_DECADES
from winit.sweep.files import replacing
from winit.sweep.layout import Results
from winit.sweep.schema import RUN_SORT_KEYS, SORT_KEYS

_SCRIPTS = ("data.js", "draw.js", "explore.js", "figures.js")
_PLACE = ("activation", "depth", "width", "unusual", "best", "tied")
_MOST_FAILURES, _MOST_TIED = 100, 4
# What the page says of each network.
_TOLD = (
    *(
        "number",
        "initializer",
        "activation",
        "depth",
        "width",
        "width_first",
        "width_last",
        "unusual",
        "place",
    ),
    *("verdict", "activation_verdict", "gradient_verdict", "agreeing", "seeds"),
    *(f"{ratio}_std_ratio_{part}" for ratio in "hg" for part in ("mean", "low", "high")),
    "to_theory",
)


@dataclass(frozen=True)
class Failure:
    """A cell or run that failed."""

    cell: str
    error: str


def write_report(results: Results) -> None:
    """Write report.html from the dataset and the summary."""
    check_together(results)
    database = Database(results.folder)
    with database.naming_damage():
        made = _page(database, (results.folder / "config.yaml").read_text(encoding="utf-8"))
    with replacing(results.report) as file:
        file.write_text(made, encoding="utf-8")


def _page(database: Database, config: str) -> str:
    # As they were last put to the results: what the evidence shows.
    tested = (
        database.sql("FROM claims").to_arrow_table() if "claims" in database.views else claims_of(database)
    )
    cells = not database.trains_alone
    if not cells:  # what needs them was not tested, and cannot be
        tested = tested.filter(pc.not_equal(tested["verdict"], "not tested"))
    found, answers, count = _of_cells(database) if cells else ([], [], 0)
    training, phases = training_charts.figures(database), charts.phases(database)
    of_claims = evidence.figures(database)
    figures = [*training, *phases, *of_claims.values()]
    return html.page(
        "report.html.j2",
        [script for script in _SCRIPTS if cells or script != "explore.js"],
        cells=cells,
        style=html.raw(html.part("report.css")),
        sections=_sections(cells, tested.num_rows, training, phases),
        in_short=_in_short(database, found) if cells else _training_in_short(database),
        shown=_shown(len(found), count),
        verdicts={name: "var(--ink)" if c == palette.INK else c for name, c in palette.VERDICTS.items()},
        signs=verdict_map.SIGNS | {None: "–"},
        map=verdict_map,
        answers=answers,
        training=training,
        phases=phases,
        evidence=of_claims,
        figures=[{"name": each.name, "text": html.as_script(each.definition)} for each in figures],
        data=html.as_script(_data(found, count, answers, figures)),
        profiles=html.raw(_profiles(database, len(found)) if cells else ""),
        claims=by_topic(tested),
        in_numbers=in_numbers(tested),
        measured=measured,
        notes=notes_table(database) if cells else "",
        notes_source=SOURCE,
        made=_how_it_was_made(database),
        failures=_failures(database),
        most_failures=_MOST_FAILURES,
        config=config,
    )


def _of_cells(database: Database) -> tuple[Rows, Rows, int]:
    """The networks that are shown, the answers, and how many networks there are."""
    ((count,),) = database.sql("SELECT count(*) FROM summary").fetchall()
    return networks(database), _answers(database), count


def _sections(
    cells: bool, tested: int, training: list[Figure], phases: list[Figure]
) -> list[tuple[str, str]]:
    there = {
        "answer": cells,
        "compare": cells,
        "claims": bool(tested),
        "training-networks": bool(training),
        "phases": bool(phases),
    }
    titles = {
        "answer": "The answer",
        "compare": "Compare",
        "claims": "Claims",
        "training-networks": "Training",
        "phases": "Phases",
        "made": "How it was made",
    }
    return [(name, title) for name, title in titles.items() if there.get(name, True)]


def _in_short(database: Database, found: Rows) -> str:
    ((cells, failed, all_networks),) = database.sql(
        "SELECT sum(seeds + failed), sum(failed), count(*) FROM summary"
    ).fetchall()
    healthy = sum(row["verdict"] == "healthy" for row in found)
    of = "" if len(found) == all_networks else f" (of the {len(found):,} shown here)"
    return (
        f"{cells:,} cells of {all_networks:,} networks; {failed:,} cells failed. Each network was pushed"
        " forward with a batch of examples and backward with a random cotangent, and every layer was"
        " measured:"
        f" {healthy:,} networks{of} are healthy."
    )


def _training_in_short(database: Database) -> str:
    ((runs, failed, trained),) = database.sql("""
        SELECT count(*), count(*) FILTER (status = 'failed'), count(*) FILTER (verdict = 'trains')
        FROM training_runs""").fetchall()
    return (
        f"{runs:,} training runs; {failed:,} failed. Each network was trained by plain gradient descent, and"
        f" every layer was measured along the way: {trained:,} runs train."
    )


def _shown(shown: int, count: int) -> str:
    if shown == count:
        return "Choose networks in the map above, in the answers, or from the list."
    return (
        f"This page has {shown:,} of the {count:,} networks, the deepest first; all of them are in"
        " layers and summary.parquet. Choose some in the map above, in the answers, or from the list."
    )


def _answers(database: Database) -> Rows:
    """The best initializer of each network, as the page shows it."""
    rows = answers_of(database).to_pylist()
    place = place_of(database)
    for row in rows:
        row.update(place(row))
        row["keys"] = {key: row[key] for key in _PLACE}
        row["place_json"] = json.dumps(row["keys"])
        row["tied_text"] = "one seed tells none apart" if row["seeds"] == 1 else _some(row["tied"])
        row["drift_text"] = _interval(row["drift"], row["drift_low"], row["drift_high"])
    # Where there is nothing to choose from comes last.
    return sorted(rows, key=lambda row: row["initializers"] == 1)


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_TIED
    return ", ".join(names[:_MOST_TIED]) + (f" and {more} more" if more > 0 else "") or "–"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2g}" if low is None else f"{value:.2g} ({low:.2g} … {high:.2g})"


def _data(found: Rows, count: int, answers: Rows, figures: list[Figure]) -> dict[str, Any]:
    """All that the scripts know of these results, but for the profiles."""
    for row in found:
        row["to_theory"] = row["h_std_to_theory"][-1] if row["h_std_to_theory"] else None
    return {
        "networks": {
            "columns": _TOLD,
            "rows": [[_short(row[name]) for name in _TOLD] for row in found],
        },
        "first": _first(answers),
        "all": count,
        "verdicts": {
            name: {"sign": verdict_map.SIGNS[name], "style": f"v-{name}"} for name in palette.VERDICTS
        },
        "map": Figure("", "", "", drawn(verdict_map.define)).definition,
        "charts": [
            {
                "name": chart.name,
                "title": chart.title,
                "caption": chart.caption,
                "data": chart.data,
                "column": chart.column,
                "logarithmic": chart.logarithmic,
                "of": chart.of,
                "facets": chart.facets,
                "definition": Figure("", "", "", drawn(chart.define, chart)).definition,
            }
            for chart in LAYER_CHARTS
        ],
        "figures": {
            each.name: {
                "panels": each.panels,
                "least": each.least,
                "named": each.named,
                "longest": each.longest,
            }
            for each in figures
        },
        "colours": palette.SERIES,
        "shapes": palette.SHAPES,
        "outlines": OUTLINES,
        "coding": {
            "levels": profiles.LEVELS,
            "decades": MAGNITUDE_DECADES,
            "reach": profiles.REACH,
            "bins": HISTOGRAM_BINS,
            "measured": list(profiles.MEASURED),
            "predicted": list(profiles.PREDICTED),
        },
    }


def _short(value: Any) -> Any:
    """Five digits; JSON knows no infinity, which rounding may give too."""
    if not isinstance(value, float):
        return value
    rounded = float(f"{value:.5g}")
    return rounded if math.isfinite(rounded) else None


def _first(answers: Rows) -> dict[str, Any] | None:
    """Where the page begins: the place that has the most initializers, of equals the deepest."""
    if not answers:
        return None
    first = max(
        answers,
        key=lambda row: (row["initializers"], row["depth"], not row["unusual"], "-" not in row["width"]),
    )
    keys: dict[str, Any] = first["keys"]
    return keys


def _profiles(database: Database, count: int) -> str:
    """A line for each network; an empty one where no cell has finished."""
    lines = [""] * count
    for number, profile in profiles.profiles(database, NUMBERED):
        lines[number] = profiles.as_text(profile)
    return "\n".join(lines)


def _how_it_was_made(database: Database) -> list[tuple[str, str]]:
    made = []
    for view, name in (("cells", "cells"), ("training_runs", "training runs")):
        if view not in database.views:
            continue
        rows = database.sql(f"""
            SELECT count(*), count(*) FILTER (status = 'failed'), count(DISTINCT seed), sum(seconds),
                string_agg(DISTINCT kernel_version, '; '), string_agg(DISTINCT packages, '; ')
            FROM {view}
        """).fetchall()
        count, failed, seeds, seconds, version, packages = rows[0]
        if count:
            made += [
                (name, f"{count}, of which {failed} failed; {seeds} seeds"),
                ("computing time", f"{seconds:.0f} s on one core, all {name} together"),
                ("made with", f"version {version} of the numerics; {packages}"),
            ]
    return made


def _failures(database: Database) -> list[Failure]:
    """Of cells and of training runs."""
    named = "concat(initializer, ', ', activation, ', depth ', depth, ', width ', width, ', seed ', seed)"
    queries = {
        "cells": (named, SORT_KEYS),
        "training_runs": (f"concat({named}, ', learning rate ', learning_rate)", RUN_SORT_KEYS),
    }
    return [
        Failure(*row)
        for view, (name, order) in queries.items()
        if view in database.views
        for row in database.sql(
            f"SELECT {name}, error FROM {view} WHERE status = 'failed' ORDER BY {', '.join(order)}"
        ).fetchall()
    ]
