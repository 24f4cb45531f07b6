"""The report: one HTML file that needs no network, drawn by the library inside it."""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import vl_convert

from winit.findings import charts
from winit.findings.database import Database
from winit.findings.notes import SOURCE, notes_table
from winit.sweep.files import replacing
from winit.sweep.layout import Results


@dataclass(frozen=True)
class Failure:
    """A cell that failed."""

    cell: str
    error: str


def write_report(results: Results) -> None:
    """Write report.html from the dataset and the summary."""
    database = Database(results.folder)
    figures = charts.figures(database)
    answer = charts.Figure(
        "answer",
        "Which initializer keeps the signal alive",
        "The verdict on each network, the most frequent one of its seeds: the worse of that on its"
        " activations and that on its gradients. Point at a field for the two.",
        charts.verdict_map(database),
    )
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(
            lambda name: (resources.files("winit.findings") / name).read_text(encoding="utf-8")
        ),
    )
    page = environment.get_template("report.html.j2").render(
        figures=[answer, *figures],
        specifications=_as_script({f.name: f.specification for f in [answer, *figures]}),
        library=vl_convert.javascript_bundle(),  # type: ignore[call-arg] # its stub lacks the default
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
    rows = database.sql("""
        SELECT count(*), count(*) FILTER (status = 'failed'), count(DISTINCT seed), sum(seconds),
            string_agg(DISTINCT kernel_version, '; '), string_agg(DISTINCT packages, '; ')
        FROM cells
    """).fetchall()
    cells, failed, seeds, seconds, kernel, packages = rows[0]
    return [
        ("cells", f"{cells}, of which {failed} failed"),
        ("seeds", str(seeds)),
        ("computing time", f"{seconds:.0f} s on one core, all cells together"),
        ("kernel version", kernel),
        ("packages", packages),
    ]


def _failures(database: Database) -> list[Failure]:
    return [
        Failure(f"{initializer}, {activation}, depth {depth}, width {width}, seed {seed}", error)
        for initializer, activation, depth, width, seed, error in database.sql("""
            SELECT initializer, activation, depth, width, seed, error FROM cells
            WHERE status = 'failed' ORDER BY ALL
        """).fetchall()
    ]
