"""What people read of a table, before it is Markdown or LaTeX: a title, a text, sections of few columns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOTHING = "–"
Row = Mapping[str, Any]


class Strong(str):
    """A cell that stands out."""

    __slots__ = ()


class Label(str):
    """A heading that is shown as it is: nothing in it is code."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A table with its heading, and what is said below it. In texts, what is between backticks is code.

    Cells are shown as they are.
    """

    heading: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """All sections of a table."""

    title: str
    text: str
    sections: Sequence[Section] = field(default_factory=list)


def shown(value: object, digits: int = 4) -> str:
    """A cell as people read it; null is a dash."""
    if value is None:
        return NOTHING
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """``value (low … high)`` in three digits; without ends where there are none or all is one."""
    if value is None:
        return NOTHING
    ends = [] if low is None or high is None else [shown(low, 3), shown(high, 3)]
    same = all(end == shown(value, 3) for end in ends)
    return shown(value, 3) if same else f"{shown(value, 3)} ({ends[0]} … {ends[1]})"


def of(part: int | None, whole: int) -> str:
    """``4 of 5``."""
    return f"{shown(part)} of {whole}"


def by_activation(
    rows: Iterable[Row], header: Sequence[str], cells: Callable[[Row], Sequence[object]]
) -> list[Section]:
    """A section for each activation, with the cells of each of its rows."""
    sections: dict[str, list[Sequence[object]]] = {}
    for row in rows:
        sections.setdefault(row["activation"], []).append(cells(row))
    return [Section(Label(activation), header, found) for activation, found in sorted(sections.items())]
