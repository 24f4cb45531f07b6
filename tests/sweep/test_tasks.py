"""A block of cells: what came of each, whatever came of the others."""

import pytest

from winit.network import initializers
from winit.network.cells import Cell, Probe
from winit.sweep.tasks import compute


def cell(initializer="he_normal", **probe):
    return Cell(initializer, "relu", 2, "8", 0, Probe(batch=4, **probe))


@pytest.fixture
def broken(monkeypatch):
    """An initializer that raises in networks of more than one layer."""

    def make(layer):
        if layer.depth > 1:
            raise ArithmeticError("the reason")
        return initializers.Law("constant")

    monkeypatch.setitem(initializers.INITIALIZERS, "broken", initializers.Entry("broken", make, "", ""))


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("others", [[], [cell()]])
def test_a_cell_that_raises_keeps_its_own_reason(others):
    done = compute([cell("broken"), *others])
    errors = {record.cell_id: record.error for record in done.records}
    assert errors == {cell("broken").id: "ArithmeticError: the reason"} | {c.id: None for c in others}
    assert set(done.rows["cell_id"].to_pylist()) == {c.id for c in others}


def test_cells_with_and_without_histograms_share_a_block():
    rows = compute([cell(histograms=False), cell(histograms=True)]).rows
    counted = {row["cell_id"]: row["h_histogram"] is not None for row in rows.to_pylist()}
    assert counted == {cell(histograms=False).id: False, cell().id: True}
