"""Widths stand in the order of their numbers, wherever people look."""

import re

import pytest
from samples import make_findings, tiny

from winit.findings.database import Database
from winit.findings.summary import summarize
from winit.sweep.schema import VIEWS

WIDTHS = ["8", "16-4", "16-2-4", "16", "100"]
ORDER = ["8", "16-2-4", "16-4", "16", "100"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    config = tiny(
        initializer=["he_normal", "zeros"], activation=["relu", "tanh"], depth=3, width=WIDTHS, seed=[0]
    )
    found = make_findings(tmp_path_factory.mktemp("widths"), config)
    summarize(found)
    return found


@pytest.mark.parametrize("view", ["layers", "cells", "theory", "summary", "answers"])
def test_rows_of_a_table_are_ordered_by_the_numbers(results, view):
    rows = (
        Database(results.folder)
        .sql(f"SELECT activation, width, width_first, width_last FROM {view}")
        .fetchall()
    )
    seen = [width for _, width, *_ in rows]
    runs = [width for width, before in zip(seen, [None, *seen], strict=False) if width != before]
    assert len(runs) % len(ORDER) == 0
    assert runs == ORDER * (len(runs) // len(ORDER))
    for _, width, first, last in rows:
        numbers = width.split("-")
        assert (first, last) == (int(numbers[0]), int(numbers[-1]))


@pytest.mark.parametrize("name", ["summary", "answers", "theory"])
@pytest.mark.parametrize("ending", ["csv", "md", "tex"])
def test_tables_for_people_are_too(results, name, ending):
    text = (results.tables / f"{name}.{ending}").read_text(encoding="utf-8")
    found = re.findall(r"(?<![\w.-])(?:16-2-4|16-4|8|16|100)(?![\w.-])", text)
    widths = [width for width in found if width in ORDER]
    places = [ORDER.index(width) for width in widths if "-" in width]
    assert places
    assert "16-2-4" in widths
    assert widths.index("16-2-4") < widths.index("16-4")


def test_every_table_with_a_width_has_its_numbers_beside_it():
    for _, schema in VIEWS.values():
        if "width" in schema.names:
            place = schema.names.index("width")
            assert schema.names[place + 1 : place + 3] == ["width_first", "width_last"]
            assert {str(schema.field(name).type) for name in ("width_first", "width_last")} == {"int32"}
