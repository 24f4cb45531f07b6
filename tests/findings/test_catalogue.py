"""The page of the catalogue is in step with the entries, and so are its pictures."""

import re
from pathlib import Path

import pytest

from winit.findings import catalogue
from winit.network.activations import ACTIVATIONS
from winit.network.datasets import DATASETS
from winit.network.initializers import INITIALIZERS
from winit.network.inputs import INPUTS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def curves():
    return catalogue.curves()


def test_the_page_is_what_the_entries_make():
    assert (DOCS / "catalogue.md").read_text() == catalogue.page(), "run `make docs`"


def test_the_pictures_are_what_the_entries_make(curves):
    found = {path.name: path.read_text() for path in (DOCS / "images/activations").glob("*.svg")}
    assert found == curves, "run `make docs`"


def test_every_entry_has_a_line_with_its_formula_and_source():
    page = catalogue.page()
    for entry in (*INITIALIZERS.values(), *ACTIVATIONS.values(), *INPUTS.values(), *DATASETS.values()):
        lines = [line for line in page.splitlines() if re.match(rf"\| `{re.escape(entry.name)}[`(]", line)]
        told = [
            entry.formula.replace("|", "\\|"),
            getattr(entry, "source", ""),
            *getattr(entry, "frameworks", ()),
        ]
        assert any(all(part in line for part in told) for line in lines), entry.name


def test_the_picture_of_relu_shows_both_lines(curves):
    marks = curves["relu.svg"].count('stroke-width="2"')
    assert marks >= 2
