"""The calibration: real networks of the plan, cut to size, drawn by their cost."""

import numpy as np
import pytest
from samples import TINY, tiny

from winit.network.cells import Cell
from winit.sweep import calibration
from winit.sweep.calibration import calibrated
from winit.sweep.config import Config
from winit.sweep.patience import estimated
from winit.sweep.plan import make_plan, make_training_plan, seconds_of

PLANS = pytest.mark.parametrize(
    "plan", [make_plan(tiny()), make_training_plan(tiny())], ids=["cells", "runs"]
)


@PLANS
def test_a_calibration_scales_the_estimate(plan):
    ratio = calibrated(plan, budget=0.02) / seconds_of(plan)
    assert ratio[0] > 0
    assert ratio == pytest.approx(np.full(plan.num_rows, ratio[0]))


@PLANS
def test_a_machine_that_takes_three_times_the_estimate_is_calibrated_so(plan, monkeypatch):
    estimates = []

    def at(*arguments):
        cells, estimated = find(*arguments)
        estimates.append(estimated)
        return cells, estimated

    find = calibration._at
    monkeypatch.setattr(calibration, "_at", at)
    monkeypatch.setattr(calibration, "_timed", lambda _: 3 * estimates[-1])
    assert calibrated(plan) == pytest.approx(3 * seconds_of(plan))
    assert len(estimates) > 3


@PLANS
def test_networks_that_raise_leave_the_estimate_as_it_is(plan, monkeypatch):
    monkeypatch.setattr(calibration, "_timed", lambda _: None)
    assert calibrated(plan).tolist() == seconds_of(plan).tolist()


def timed(monkeypatch, plan):
    """The cells that a calibration with ``plan`` would time."""
    seen = []
    monkeypatch.setattr(calibration, "_timed", lambda cells: seen.extend(cells) or 0.0)
    calibrated(plan)
    return seen


def test_networks_are_drawn_by_their_cost(monkeypatch):
    seen = timed(monkeypatch, make_plan(tiny(width=[16, 512], depth=[1, 10])))
    assert [cell.width for cell in seen].count("512") > 0.8 * len(seen)
    assert {cell.initializer for cell in seen} == set(TINY["grids"][0]["initializer"])
    assert len({(cell.initializer, cell.activation, cell.seed) for cell in seen}) > 6


def test_a_large_network_is_cut_until_it_takes_a_fraction_of_a_second(monkeypatch):
    probe = {"batch": 10_000}
    for cell in timed(monkeypatch, make_plan(tiny(width=["30000", "40000-300"], depth=1000, probe=probe))):
        assert isinstance(cell, Cell)
        assert estimated(cell) < 0.3
        assert min(int(end) for end in cell.width.split("-")) >= 16


def test_a_users_own_functions_are_not_run(monkeypatch, tmp_path):
    (tmp_path / "mine.py").write_text("import winit\ndef mine(layer):\n    return winit.Law('normal', 1.0)\n")
    plan = make_plan(tiny(initializer=f"{tmp_path}/mine.py:mine"))
    seen = timed(monkeypatch, plan)
    assert seen
    assert not any(":" in cell.initializer or cell.sources for cell in seen)


def test_nothing_is_calibrated_without_cells():
    plan = make_training_plan(Config.checked(TINY | {"training": None}, "test"))
    assert calibrated(plan).tolist() == []
