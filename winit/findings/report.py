"""The report: one HTML file that needs no network, drawn by the library inside it."""

import itertools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import vl_convert

from winit.findings import charts, training_charts
from winit.findings.claims import evidence
from winit.findings.claims.tested import by_topic, claims_of, in_numbers, measured
from winit.findings.database import Database
from winit.findings.drawing import Figure
from winit.findings.notes import SOURCE, notes_table
from winit.sweep.files import replacing
from winit.sweep.layout import Results


@dataclass(frozen=True)
class Failure:
    """A cell or run that failed."""

    cell: str
    error: str


def write_report(results: Results) -> None:
    """Write report.html from the dataset and the summary."""
    database = Database(results.folder)
    answer = Figure(
        "answer",
        "Which initializer keeps the signal alive",
        "The verdict on each network, the most frequent one of its seeds: the worse of that on its"
        " activations and that on its gradients. Point at a field for the two.",
        charts.verdict_map(database),
    )
    sections = {
        "measured": [answer, *charts.figures(database)],
        "training": training_charts.figures(database),
        "evidence": evidence.figures(database),
    }
    # As they were last put to the results: what the evidence shows.
    tested = (
        database.sql("FROM claims").to_arrow_table() if "claims" in database.views else claims_of(database)
    )
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(
            lambda name: (resources.files("winit.findings") / name).read_text(encoding="utf-8")
        ),
    )
    page = environment.get_template("report.html.j2").render(
        sections=sections,
        specifications=_as_script({f.name: f.specification for f in itertools.chain(*sections.values())}),
        library=vl_convert.javascript_bundle(),  # type: ignore[call-arg] # its stub lacks the default
        claims=by_topic(tested),
        in_numbers=in_numbers(tested),
        measured=measured,
        notes=notes_table(database),
        notes_source=SOURCE,
        made=_how_it_was_made(database),
        failures=_failures(database),
        config=(results.folder / "config.yaml").read_text(encoding="utf-8"),
    )
    with replacing(results.report) as file:
        file.write_text(page, encoding="utf-8")


def _as_script(value: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value).replace("<", "\\u003c")


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
    queries = {"cells": named, "training_runs": f"concat({named}, ', learning rate ', learning_rate)"}
    return [
        Failure(*row)
        for view, name in queries.items()
        if view in database.views
        for row in database.sql(
            f"SELECT {name}, error FROM {view} WHERE status = 'failed' ORDER BY ALL"
        ).fetchall()
    ]
