"""The tables of the pages about the config and the statistics are in step with what they tell of."""

import re
from pathlib import Path

import pytest

import winit
from winit.findings import pages
from winit.network import diagnostics, training
from winit.network.definitions import DEFINITIONS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_is_what_models_and_registries_make(name):
    page = (DOCS / name).read_text()
    assert page == pages.filled(page), "run `make docs`"


def test_every_block_is_on_a_page_and_filled():
    text = "".join((DOCS / name).read_text() for name in pages.PAGES)
    named = re.findall(r"<!-- made by `make docs`: (\w+) -->\n\n[^<]", text)
    assert sorted(named) == sorted(pages.BLOCKS)


def test_a_block_that_was_changed_by_hand_is_made_anew():
    page = "before\n<!-- made by `make docs`: ratios -->\n\nmine\n<!-- end -->\nafter\n"
    made = pages.filled(page)
    assert "mine" not in made
    assert "`h_std_ratio`" in made
    assert made.startswith("before\n")
    assert made.endswith("<!-- end -->\nafter\n")


def test_every_column_is_defined_and_nothing_else_is():
    columns = (*diagnostics.COLUMNS, *training.COLUMNS)
    assert {column.name for column in columns} == set(DEFINITIONS)


def null_at(rows, layer):
    return {name for name in DEFINITIONS if name in rows.column_names and rows[name][layer].as_py() is None}


def test_what_is_said_to_be_null_at_the_input_is():
    rows = winit.simulate("he_normal", "relu", depth=2, width=8, batch=4, input="pairs(correlation=0.5)")
    said = {name for name, definition in DEFINITIONS.items() if definition.null.startswith("layer 0")}
    assert null_at(rows, 0) == said
    assert null_at(rows, 1) == {"y_std"}
    assert null_at(rows, 2) == set()


def test_what_is_said_to_be_null_without_histograms_or_pairs_is():
    rows = winit.simulate("he_normal", "relu", depth=2, width=8, batch=4, histograms=False)
    said = {name for name, definition in DEFINITIONS.items() if "probe.histograms" in definition.null}
    assert null_at(rows, 2) == said | {"pair_correlation"}


def test_what_is_said_to_be_null_where_numbers_are_not_finite_is():
    rows = winit.simulate("normal(std=1e25)", "relu", depth=3, width=8, batch=4)
    said = {name for name, definition in DEFINITIONS.items() if "not finite" in definition.null}
    found = null_at(rows, 1) | null_at(rows, 2) | null_at(rows, 3)
    assert found == (said & set(rows.column_names)) | {"cosine_mean", "cosine_std", "h_min", "h_max"}
    assert rows["nonfinite_fraction"][3].as_py() == 1
    assert rows["h_max"][2].as_py() == float("inf")
    assert rows["w_std"][3].as_py() > 0
