"""A block of cells: what came of each, whatever came of the others."""

import dataclasses
import inspect

import pytest

from winit.network import sources
from winit.network.cells import Cell, Probe
from winit.network.sources import Source
from winit.sweep.tasks import compute, look

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


def cell(initializer="he_normal", sources=(BROKEN,), **probe):
    return Cell(initializer, "relu", 2, "8", 0, Probe(batch=4, **probe), sources)


@pytest.mark.parametrize("others", [[], [cell()]])
def test_a_cell_that_raises_keeps_its_own_reason(others):
    bad = cell("broken.py:broken")
    done = compute([bad, *others])
    errors = {record.cell_id: record.error for record in done.records}
    assert errors == {bad.id: "ArithmeticError: the reason"} | {c.id: None for c in others}
    assert set(done.rows["cell_id"].to_pylist()) == {c.id for c in others}


PANICKING = Source(
    "panicking.py",
    """
import asyncio
from winit import Law

class Panic(BaseException): pass

def raising(error):
    def initializer(layer):
        if layer.depth > 1:
            raise error
        return Law("constant")
    return initializer

panic = raising(Panic("help"))
cancelled = raising(asyncio.CancelledError())
interrupted = raising(KeyboardInterrupt())
leaving = raising(SystemExit(0))
closing = raising(GeneratorExit())
stopping = raising(StopIteration())
""",
)


def test_whatever_a_cell_raises_it_fails_alone():
    names = ("panic", "cancelled", "interrupted", "leaving", "closing", "stopping")
    bad = [cell(f"panicking.py:{name}", sources=(PANICKING,)) for name in names]
    done = compute([cell(), *bad])
    errors = {record.cell_id: record.error for record in done.records}
    reasons = ("Panic: help", "CancelledError", "KeyboardInterrupt", "SystemExit: 0", "GeneratorExit")
    wanted = (*reasons, "StopIteration")
    assert errors == {cell().id: None} | {b.id: w for b, w in zip(bad, wanted, strict=True)}
    assert set(done.rows["cell_id"].to_pylist()) == {cell().id}


LOOKING = Source(
    "looking.py",
    """
from winit import Law
from winit.sweep import tasks

seen = []

def initializer(layer):
    if layer.depth > 1 and layer.index == 1:
        seen.append({n: tasks.look({"a block": n, "another": 0}) for n in (0, 1)})
    return Law("constant")
""",
)


def test_what_is_finished_of_a_block_can_be_looked_at_meanwhile():
    last = dataclasses.replace(cell("looking.py:initializer", sources=(LOOKING,)), seed=1)
    done = compute([cell(), last], "a block")
    function = sources.function_of("looking.py:initializer", (LOOKING,))
    seen = inspect.unwrap(function).__globals__["seen"][-1]  # before, it was tried
    (sight,) = seen[0].values()
    assert [record.cell_id for record in sight.finished.records] == [cell().id]
    assert sight.finished.rows["cell_id"].to_pylist() == [cell().id] * 3
    assert set(done.rows["cell_id"].to_pylist()) == {cell().id, last.id}
    assert sight.silent >= 0
    assert seen[1]["a block"].finished.records == []
    assert look({"a block": 0}) == {}


def test_cells_with_and_without_histograms_share_a_block():
    rows = compute([cell(histograms=False), cell(histograms=True)]).rows
    counted = {row["cell_id"]: row["h_histogram"] is not None for row in rows.to_pylist()}
    assert counted == {cell(histograms=False).id: False, cell().id: True}
