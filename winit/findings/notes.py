"""The three tables of the notes (002_5d5c081dc4e85c8f.txt), with our measurements beside them.

The note pushes 1000 standard normal examples through ten tanh layers of 500 units, once for each of
three initializers, and prints the mean and standard deviation of every layer's activations.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from winit.findings import tables
from winit.findings.database import Database
from winit.findings.page import Page, Row, Section, shown
from winit.findings.tables import Table

SOURCE = "002_5d5c081dc4e85c8f.txt"
ACTIVATION, DEPTH, WIDTH, BATCH = "tanh", 10, "500", 1000
DECIMALS = 6
"""The note prints so many: its small numbers are known to half a unit of the last one."""


@dataclass(frozen=True)
class NoteTable:
    """One table: its heading in the note, our initializer, mean and std of the layers 1 … 10."""

    heading: str
    initializer: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


NOTE_TABLES = (
    NoteTable(
        "0.01 * randn",
        "normal(std=0.01)",
        (
            -0.000139, 0.000038, 0.000006, -0.000002, 0.000001,
            0.0, 0.0, 0.0, 0.0, 0.0,
        ),
        (
            0.213260, 0.047572, 0.010630, 0.002386, 0.000535,
            0.000119, 0.000027, 0.000006, 0.000001, 0.0,
        ),
    ),
    NoteTable(
        "1 * randn",
        "normal(std=1.0)",
        (
            -0.000385, 0.001082, 0.001913, -0.002010, 0.000435,
            0.001119, -0.000742, -0.001431, 0.000313, -0.001314,
        ),
        (
            0.982053, 0.981789, 0.981715, 0.981523, 0.981463,
            0.981712, 0.981718, 0.981858, 0.981687, 0.981719,
        ),
    ),
    NoteTable(
        "randn / sqrt(fan_in)",
        "lecun_normal",
        (
            0.000078, -0.000466, -0.000066, 0.000266, 0.000371,
            0.000447, 0.000247, -0.000204, -0.000225, 0.000805,
        ),
        (
            0.627422, 0.486087, 0.408522, 0.357302, 0.320092,
            0.293146, 0.271269, 0.256240, 0.242764, 0.230877,
        ),
    ),
)  # fmt: skip

_EXPLANATION = (
    "The note has one run; ours is the mean over seeds with its standard error. The note prints six"
    " decimals, so where its std is below 0.0001 the ratio is only as good as those."
)
_HEADER = (
    "layer",
    "mean, note",
    "mean, ours",
    "± s.e.",
    "std, note",
    "std, ours",
    "± s.e.",
    "ratio",
)
_ROWS = pa.schema(
    [
        pa.field("heading", pa.string()),
        pa.field("initializer", pa.string()),
        pa.field("layer", pa.int32()),
        *(
            pa.field(name, pa.float64())
            for name in ("mean_note", "mean", "mean_se", "std_note", "std", "std_se", "ratio")
        ),
    ]
)


def notes_of(database: Database) -> Table:
    """The three tables: theirs, ours (mean and standard error over seeds), the ratio of the stds."""
    rows = {note: list(_rows(database, note)) for note in NOTE_TABLES}
    text = f"{DEPTH} {ACTIVATION} layers of {WIDTH} units. {_EXPLANATION}"
    sections = [_section(note, found) for note, found in rows.items()]
    page = Page(f"The tables of {SOURCE}, measured again", text, sections)
    return Table(pa.Table.from_pylist([row for found in rows.values() for row in found], schema=_ROWS), page)


def notes_table(database: Database) -> str:
    """The three tables as Markdown."""
    return tables.page_markdown(notes_of(database).page)


def _rows(database: Database, note: NoteTable) -> Iterator[Row]:
    theirs = zip(note.mean, note.std, strict=True)
    # Nothing is measured where the grid lacks the network.
    for ours, (note_mean, note_std) in zip(measured(database, note), theirs, strict=False):
        layer, mean, mean_error, std, std_error = ours
        yield {
            "heading": note.heading,
            "initializer": note.initializer,
            "layer": layer,
            "mean_note": note_mean,
            "mean": mean,
            "mean_se": mean_error,
            "std_note": note_std,
            "std": std,
            "std_se": std_error,
            "ratio": None if note_std == 0 else std / note_std,
        }


def _section(note: NoteTable, rows: list[Row]) -> Section:
    cells = [
        (
            row["layer"],
            f"{row['mean_note']:.6f}",
            f"{row['mean']:.6f}",
            shown(row["mean_se"], 1),
            f"{row['std_note']:.6f}",
            f"{row['std']:.6g}",
            shown(row["std_se"], 1),
            None if row["ratio"] is None else f"{row['ratio']:.3f}",
        )
        for row in rows
    ]
    missing = (
        f"Not in the grid: it needs initializer {note.initializer}, activation {ACTIVATION},"
        f" depth {DEPTH}, width {WIDTH}, batch {BATCH}."
    )
    heading = f"W = {note.heading} (`{note.initializer}`)"
    return Section(heading, _HEADER, cells, () if rows else (missing,))


def measured(
    database: Database, note: NoteTable
) -> list[tuple[int, float, float | None, float, float | None]]:
    """(layer, mean, its standard error, std, its standard error) over the seeds; empty if absent."""
    return database.sql(f"""
        SELECT layer,
            avg(h_mean), stddev_samp(h_mean) / sqrt(count(*)),
            avg(h_std), stddev_samp(h_std) / sqrt(count(*))
        FROM layers
        WHERE initializer = '{note.initializer}' AND activation = '{ACTIVATION}'
            AND depth = {DEPTH} AND width = '{WIDTH}' AND layer > 0
            AND batch = {BATCH} AND input = 'normal' AND input_width = 0 AND bias_std = 0
            AND dtype = 'float32'
        GROUP BY layer ORDER BY layer
    """).fetchall()
