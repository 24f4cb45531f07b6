"""Pages that are written by hand but for their tables, which are made from models and registries.

``python -m winit.findings.pages docs`` makes the tables anew.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from winit.network import diagnostics, training
from winit.network.activations import ACTIVATIONS, UNBOUNDED_RANGE
from winit.network.definitions import DEFINITIONS
from winit.network.diagnostics import Column
from winit.sweep import reference
from winit.sweep.files import replacing
from winit.sweep.schema import ARROW_TYPES, CELLS, RATIOS
from winit.sweep.verdicts import Thresholds

PAGES = ("config.md", "statistics.md")

_BLOCK = re.compile(r"(<!-- made by `make docs`: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _columns(columns: Iterable[Column]) -> str:
    rows = (
        (
            f"`{column.name}`",
            str(ARROW_TYPES[column.kind]).replace("element: ", ""),
            "" if column.unit == "1" else column.unit,
            DEFINITIONS[column.name].formula,
            DEFINITIONS[column.name].null,
        )
        for column in columns
    )
    return table(("column", "type", "unit", "definition", "null where"), rows)


def _layers() -> str:
    return _columns(diagnostics.COLUMNS)


def _training() -> str:
    shared = {column.name for column in diagnostics.COLUMNS}
    return _columns(column for column in training.COLUMNS if column.name not in shared)


def _ranges() -> str:
    names: dict[tuple[float, float], list[str]] = {}
    for entry in ACTIVATIONS.values():
        names.setdefault(entry.bounds or UNBOUNDED_RANGE, []).append(f"`{entry.name}`")
    rest = names.pop(UNBOUNDED_RANGE)
    rows = [(", ".join(of), _range(ends)) for ends, of in names.items()]
    rows.append((f"all others: {', '.join(rest)}; your own", _range(UNBOUNDED_RANGE)))
    return table(("activation", "range of `h_histogram`"), rows)


def _range(ends: tuple[float, float]) -> str:
    return " … ".join(f"{end:g}" for end in ends).replace("-", "−")


def _ratios() -> str:
    rows = ((f"`{name}`", CELLS.field(name).metadata[b"description"].decode()) for name in RATIOS)
    return table(("column of `cells`", "definition"), rows)


def _thresholds() -> str:
    rows = (
        (f"`{name}`", f"{key.default:g}", " ".join((key.description or "").split()))
        for name, key in Thresholds.model_fields.items()
    )
    return table(("threshold", "default", "what it bounds, and where it comes from"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "keys": reference.keys_page,
    "example": lambda: f"```yaml\n{reference.example()}```\n",
    "refusals": reference.refusals,
    "layers": _layers,
    "training": _training,
    "ranges": _ranges,
    "ratios": _ratios,
    "thresholds": _thresholds,
}
"""What is made, by the names that the pages give it."""


def filled(page: str) -> str:
    """A page with each of its blocks made anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n{found[3]}", page)


def write(folder: Path) -> None:
    """Make the blocks of the pages in ``folder`` anew."""
    for name in PAGES:
        page = folder / name
        made = filled(page.read_text(encoding="utf-8"))
        with replacing(page) as file:
            file.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
