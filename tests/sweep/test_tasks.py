"""A block of cells: what came of each, whatever came of the others."""

import pytest

from winit.network.cells import Cell, Probe
from winit.network.sources import Source
from winit.sweep.tasks import compute

BROKEN = Source(
    "broken.py",
    """
from winit import Law

def broken(layer):
    if layer.depth > 1:
        raise ArithmeticError("the reason")
    return Law("constant")
""",
)


def cell(initializer="he_normal", **probe):
    return Cell(initializer, "relu", 2, "8", 0, Probe(batch=4, **probe), (BROKEN,))


@pytest.mark.parametrize("others", [[], [cell()]])
def test_a_cell_that_raises_keeps_its_own_reason(others):
    bad = cell("broken.py:broken")
    done = compute([bad, *others])
    errors = {record.cell_id: record.error for record in done.records}
    assert errors == {bad.id: "ArithmeticError: the reason"} | {c.id: None for c in others}
    assert set(done.rows["cell_id"].to_pylist()) == {c.id for c in others}


def test_cells_with_and_without_histograms_share_a_block():
    rows = compute([cell(histograms=False), cell(histograms=True)]).rows
    counted = {row["cell_id"]: row["h_histogram"] is not None for row in rows.to_pylist()}
    assert counted == {cell(histograms=False).id: False, cell().id: True}
