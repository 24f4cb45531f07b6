"""The claims put to the results: claims.parquet, and the table for people."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from winit.findings import tables
from winit.findings.claims import TOPICS, VERDICTS, Claim, Judgement, judge
from winit.findings.claims.notes import short
from winit.findings.database import Database
from winit.findings.intervals import CONFIDENCE
from winit.findings.page import Page, Section, Strong
from winit.findings.together import check_together
from winit.sweep.files import replacing_all
from winit.sweep.layout import Results
from winit.sweep.schema import CLAIMS

Row = dict[str, Any]

_INTRODUCTION = (
    "{count} claims: {found}. Measured is the mean over seeds with its {confidence:.0%} confidence interval;"
    " a claim is decided where all of the interval is on one side of the threshold, one that speaks of every"
    " case where all seeds are. The queries are in `claims.parquet`."
)


def write_claims(results: Results) -> pa.Table:
    """Write claims.parquet and the tables, and give the rows."""
    belongs = check_together(results, ("cells", "layers", "training", "training_runs"))
    database = Database(results.folder)
    with database.naming_damage():
        tested = claims_of(database).replace_schema_metadata(belongs)
    with replacing_all() as new:
        pq.write_table(tested, new(results.claims), compression="zstd")
        tables.write(new, results.tables, "claims", tables.Table(tested, page(tested)))
    return tested


def claims_of(database: Database) -> pa.Table:
    """A row for each claim, with the schema ``CLAIMS``."""
    rows = []
    for topic, claims in TOPICS.items():
        for claim in claims:
            judged, missing = put(claim, database)
            rows.append(
                {
                    "id": claim.id,
                    "topic": topic,
                    "statement": claim.statement,
                    "note": claim.note,
                    "measures": claim.measures,
                    "threshold": str(claim.holds),
                    "threshold_low": claim.holds.low,
                    "threshold_high": claim.holds.high,
                    "value": judged.value,
                    "value_low": judged.low,
                    "value_high": judged.high,
                    "values": list(judged.values),
                    "seeds": len(judged.values),
                    "logarithmic": claim.logarithmic,
                    "verdict": judged.verdict,
                    "missing": "; ".join(missing) or None,
                    "why": claim.why or None,
                    "query": claim.query,
                }
            )
    return pa.Table.from_pylist(rows, schema=CLAIMS)


def put(claim: Claim, database: Database) -> tuple[Judgement, list[str]]:
    """What became of a claim, and the networks for want of which it was not tested."""
    missing = _missing(database, claim)
    if missing:
        return Judgement("not tested"), missing
    return judge(claim, [value for _, value in database.sql(claim.query).fetchall()]), []


def _missing(database: Database, claim: Claim) -> list[str]:
    """The networks that it needs and of which no cell has finished."""
    missing = []
    for network in claim.networks:
        found = (
            network.table in database.views
            and database.sql(
                f"SELECT 1 FROM {network.table} WHERE {network.condition} AND status = 'ok' LIMIT 1"
            ).fetchall()
        )
        if not found:
            missing.append(str(network))
    return list(dict.fromkeys(missing))


def in_numbers(tested: pa.Table) -> str:
    """How many claims have each verdict, in words."""
    verdicts = tested["verdict"].to_pylist()
    plural = ("hold", "do not hold", "undecided", "not tested")
    counts = [(verdicts.count(verdict), words) for verdict, words in zip(VERDICTS, plural, strict=True)]
    return ", ".join(f"{number} {words}" for number, words in counts if number)


def page(tested: pa.Table) -> Page:
    """The claims for people, topic by topic."""
    text = _INTRODUCTION.format(count=tested.num_rows, found=in_numbers(tested), confidence=CONFIDENCE)
    sections = [_section(topic, rows) for topic, rows in by_topic(tested).items()]
    return Page("The notes, claim by claim", text, sections)


def _section(topic: str, rows: list[Row]) -> Section:
    cells = [
        (
            row["statement"],
            Strong(row["verdict"]),
            measured(row),
            row["seeds"],
            row["threshold"],
            row["measures"],
            short(row["note"]),
        )
        for row in rows
    ]
    header = ("claim", "verdict", "measured", "seeds", "must be", "what is measured", "note")
    why = [f"{row['statement']} {row['why']}" for row in rows if row["why"]]
    missing = [f"{row['statement']} Not in the results: {row['missing']}." for row in rows if row["missing"]]
    return Section(topic, header, cells, why + missing)


def by_topic(tested: pa.Table) -> dict[str, list[Row]]:
    """The rows of each topic."""
    found: dict[str, list[Row]] = {}
    for row in tested.to_pylist():
        found.setdefault(row["topic"], []).append(row)
    return found


def measured(row: Row) -> str:
    """The value with its confidence interval."""
    if row["value"] is None:
        return "–"
    value = f"{row['value']:.4g}"
    if row["value_low"] is None or row["value_low"] == row["value_high"]:
        return value
    return f"{value} ({row['value_low']:.4g} … {row['value_high']:.4g})"
