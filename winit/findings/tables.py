"""Tables for people: one list of rows, written as CSV and as Markdown."""

import csv
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Every digit, for programs; null is an empty field."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Four digits, for people; null is a dash."""
    shown = [[_cell(value).replace("|", "\\|") for value in row] for row in rows]
    return tabulate(shown, header, tablefmt="github", disable_numparse=True) + "\n"


def text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Three digits, for a terminal; long names stand on several lines."""
    shown = [[_cell(value, 3) for value in row] for row in rows]
    names = [name.replace("_", "\n") for name in header]
    return tabulate(shown, names, tablefmt="simple", disable_numparse=True, stralign="right")


def _cell(value: object, digits: int = 4) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
