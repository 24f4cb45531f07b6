"""Tables of findings in four formats: Parquet and CSV for programs, Markdown and LaTeX for people.

A table is all its columns and digits, and the *page* that people read: few columns, few digits. To add one,
write a function that gives both and name it in ``summary.TABLES``.
"""

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tabulate import tabulate

from winit.findings import latex
from winit.findings.literal import as_markdown, as_markdown_cell, as_text
from winit.findings.page import Label, Page, Strong, shown
from winit.sweep.schema import NETWORK_KEYS, PROBE_KEYS

FORMATS = ("parquet", "csv", "md", "tex")


@dataclass(frozen=True)
class Table:
    """What ``write`` writes."""

    rows: pa.Table
    page: Page


def telling(rows: pa.Table) -> list[str]:
    """What tells the networks of one activation apart: of the probe, the keys that are not all the same.

    The width is there as the config has it, and not in numbers once more.
    """
    untold = {key for key in PROBE_KEYS if len(rows[key].unique()) <= 1}
    untold |= {"activation", "width_first", "width_last"}
    return [key for key in NETWORK_KEYS if key in rows.column_names and key not in untold]


def write(new: Callable[[Path], Path], folder: Path, name: str, table: Table) -> None:
    """Write ``name`` with the ending of each of ``FORMATS`` into ``folder``.

    ``new`` is of ``files.replacing_all``: the tables of a step take their places together.
    """
    pq.write_table(table.rows, new(folder / f"{name}.parquet"), compression="zstd")
    write_csv(new(folder / f"{name}.csv"), table.rows)
    new(folder / f"{name}.md").write_text(page_markdown(table.page), encoding="utf-8")
    new(folder / f"{name}.tex").write_text(latex.page(table.page, name), encoding="utf-8")


def remove(folder: Path, name: str) -> None:
    """Remove what ``write`` wrote there, if it did."""
    for ending in FORMATS:
        (folder / f"{name}.{ending}").unlink(missing_ok=True)


def write_csv(path: Path, table: pa.Table) -> None:
    """Every digit. Null is an empty field, a number that is not finite inf, -inf or nan, a list JSON.

    A text that a spreadsheet would take for a formula has an apostrophe before it (``literal``).
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=10_000):
            writer.writerows([_field(value) for value in row.values()] for row in batch.to_pylist())


def _field(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        # JSON has no number that is not finite: in a list it is a string.
        items = [str(item) if isinstance(item, float) and not math.isfinite(item) else item for item in value]
        return json.dumps(items, ensure_ascii=False)
    return as_text(value) if isinstance(value, str) else value


def page_markdown(page: Page) -> str:
    """A page as Markdown."""
    parts = [f"# {page.title}\n\n{page.text}\n"]
    for section in page.sections:
        words = section.heading
        heading = f"## {as_markdown(words) if isinstance(words, Label) else words}\n\n" if words else ""
        table = markdown(section.header, section.rows) if section.rows else ""
        notes = "".join(f"- {note}\n" for note in section.notes)
        parts.append(heading + "\n".join(filter(None, (table, notes))))
    return "\n".join(parts)


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Four digits, for people; null is a dash."""
    cells = [[_marked(value) for value in row] for row in rows]
    return tabulate(cells, header, tablefmt="github", disable_numparse=True) + "\n"


def _marked(value: object) -> str:
    cell = as_markdown_cell(shown(value))
    return f"**{cell}**" if isinstance(value, Strong) and cell else cell


def text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Three digits, for a terminal; long names stand on several lines."""
    cells = [[shown(value, 3) for value in row] for row in rows]
    names = [name.replace("_", "\n") for name in header]
    return tabulate(cells, names, tablefmt="simple", disable_numparse=True, stralign="right")
