"""``winit query``: the results asked in SQL."""

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winit.cli.group import Command
from winit.cli.options import PathType, WholeRange, completing, results_option
from winit.errors import WinitError

if TYPE_CHECKING:
    from winit.cli.screen import Screen
    from winit.findings.database import Database

FORMATS = ("table", "csv", "json", "parquet", "md")
_ENDINGS = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".md": "md", ".txt": "table"}


def _view_names() -> Iterable[str]:
    from winit.sweep.schema import VIEWS

    return VIEWS


@click.command(
    cls=Command,
    example='winit query "SELECT initializer, avg(h_std) FROM layers WHERE layer = 10 GROUP BY ALL"\n'
    "winit query --schema layers\n"
    'winit query "FROM cells" --output cells.csv',
)
@click.argument("sql", required=False, shell_complete=completing(_view_names))
@results_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="How to write the answer.  [default: by the ending of --output, else table]",
)
@click.option(
    "--output",
    type=PathType(dir_okay=False),
    help=f"Write it to a file: {', '.join(_ENDINGS)}.",
)
@click.option(
    "--rows",
    type=WholeRange(1, 10**9),
    default=40,
    show_default=True,
    help="Rows that a table shows at most.",
)
@click.option("--schema", is_flag=True, help="List the views with their columns; with a name, that view.")
def query(
    sql: str | None, folder: Path, format_: str | None, output: Path | None, rows: int, schema: bool
) -> None:
    """Ask the results in SQL (DuckDB), read-only.

    With - as SQL, it is read from standard input. The views are layers, cells, theory, summary, answers,
    ranking, training, training_runs and claims; --schema lists their columns.

    csv, json and parquet have every row and every digit, table and md four digits. Lists are JSON in csv.
    What is not finite is nan, inf or -inf in csv, and "NaN", "Infinity" or "-Infinity" in json, which has
    no numbers for them; null is an empty field in csv, and a text that a spreadsheet would compute has an
    apostrophe before it.
    """
    from winit.cli.screen import reader_may_leave, say
    from winit.findings.database import Database
    from winit.findings.together import mixtures
    from winit.sweep.layout import Results

    if schema:
        _list_columns(folder, sql)
        return
    if sql is None:
        raise click.UsageError('give a query, such as "FROM cells", or --schema to see what can be asked')
    chosen = format_ or _by_ending(output)
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("parquet is nothing for a terminal; add --output answer.parquet")

    def tell(line: str) -> None:
        say(f"winit: {line}", error=True)

    database = Database(folder, tell)
    for problem in mixtures(Results(folder)):
        tell(problem)
    asked = sys.stdin.read() if sql == "-" else sql
    with reader_may_leave():
        if chosen == "table":
            _show(database, asked, rows, output)
        else:
            _write(database, asked, chosen, output)


def _by_ending(output: Path | None) -> str:
    if output is None:
        return "table"
    if output.suffix not in _ENDINGS:
        raise click.UsageError(
            f"{output} ends in none of {', '.join(_ENDINGS)}; name it so, or give --format"
        )
    return _ENDINGS[output.suffix]


def _write(database: "Database", sql: str, format_: str, output: Path | None) -> None:
    from winit.cli.screen import Terminal
    from winit.findings.answers import WRITERS
    from winit.sweep.files import replacing

    answer = database.answer(sql)
    # Files and pipes get what there is, a terminal what it may show.
    standard: Any = Terminal() if sys.stdout.isatty() else sys.stdout.buffer
    with (
        replacing(output) if output else nullcontext() as path,
        path.open("wb") if path else nullcontext(standard) as sink,
    ):
        WRITERS[format_](answer, sink)


def _show(database: "Database", sql: str, most: int, output: Path | None) -> None:
    from winit.cli.screen import Screen
    from winit.findings.answers import numbers, shown_rows
    from winit.sweep.files import replacing

    answer = database.answer(sql, most + 1)
    found = shown_rows(answer)
    count = len(found) if len(found) <= most else database.count(sql)
    with (
        replacing(output) if output else nullcontext() as path,
        path.open("w", encoding="utf-8") if path else nullcontext() as file,
    ):
        _print(Screen(file), answer.schema.names, numbers(answer), found[:most], count)


def _print(
    screen: "Screen", header: list[str], right: list[bool], found: list[list[str]], count: int
) -> None:
    from winit.cli.screen import cell, table_of

    columns = _that_fit(header, found, screen.width)
    table = table_of(header[:columns], right[:columns])
    for row in found:
        table.add_row(*map(cell, row[:columns]))
    screen.print(table)
    said = f"{count:,} row{'s' * (count != 1)}"
    if count > len(found):
        said = f"{len(found):,} of {said}"
    if columns < len(header):
        said += f", {columns} of {len(header)} columns"
    more = "; --format csv has all" if count > len(found) or columns < len(header) else ""
    screen.print(f"({said}{more})", style="dim")


_WIDEST = 40
"""A longer text stands on several lines."""
_BETWEEN = 2


def _that_fit(header: list[str], found: list[list[str]], width: int) -> int:
    """How many columns, from the left, have room beside each other: at least one."""
    room = width + _BETWEEN
    for index, name in enumerate(header):
        longest = max([len(name), *(len(row[index]) for row in found)])
        room -= min(longest, _WIDEST) + _BETWEEN
        if room < 0:
            return max(index, 1)
    return len(header)


def _list_columns(folder: Path, view: str | None) -> None:
    from rich.text import Text

    from winit.cli.screen import Screen, reader_may_leave
    from winit.sweep.schema import VIEWS, explained

    if view is not None and view not in VIEWS:
        raise click.UsageError(f"there is no view {view!r} (views: {', '.join(VIEWS)})")
    screen = Screen()
    with reader_may_leave():
        for name in [view] if view else VIEWS:
            what, schema = VIEWS[name]
            screen.print(Text.assemble((name, "bold"), f": {what}"))
            screen.print(_columns(explained(field) for field in schema))
            screen.print()
        if view is None:
            screen.print(_views(folder))


def _columns(lines: Iterable[tuple[str, ...]]) -> Any:
    from winit.cli.screen import cell, table_of

    table = table_of(["column", "type", "unit", "meaning"], [False] * 4)
    for line in lines:
        table.add_row(*map(cell, line))
    return table


def _views(folder: Path) -> Any:
    from winit.cli.screen import cell, table_of
    from winit.findings.database import OF_CELLS, TRAINING_ALONE, Database
    from winit.sweep.schema import VIEWS

    try:
        database = Database(folder)
    except WinitError as error:
        return f"{error}"
    database.check_columns()
    table = table_of(["view", "rows", "a row is"], [False, True, False])
    for name, (what, _) in VIEWS.items():
        meant = what.removeprefix("a row for ")
        if database.trains_alone and name in OF_CELLS:
            table.add_row(name, "none", f"{meant}; {TRAINING_ALONE}")
        elif name in database.damaged:
            table.add_row(name, "damaged", cell(f"{meant}; {database.damaged[name]}"))
        elif name in database.missing:
            table.add_row(name, "none yet", cell(f"{meant}; {database.missing[name]} makes it"))
        else:
            table.add_row(name, f"{database.count(f'FROM {name}'):,}", meant)
    return table


COMMANDS = (query,)
