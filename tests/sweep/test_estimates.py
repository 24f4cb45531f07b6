"""What a plan will take, counted, and against what real cells take."""

import numpy as np
import pyarrow as pa
import pytest
from samples import GRID_SIZE, RUNS, TINY, tiny

from winit.network.cells import Cell, Probe, hidden_widths
from winit.network.training import recorded_steps
from winit.sweep.config import Config
from winit.sweep.costs import backward_cost, draws_memory, forward_cost
from winit.sweep.engine import blocks
from winit.sweep.estimates import Estimate, duration, estimate, show
from winit.sweep.kinds import cells_of
from winit.sweep.machine import WORKER_BYTES
from winit.sweep.plan import make_plan, make_training_plan, seconds_of
from winit.sweep.store import Store
from winit.sweep.tasks import compute


def test_networks_of_constant_width_pay_for_one_forward_pass_and_tapers_for_each():
    probe = Probe(batch=20)

    def passes(width, ahead):
        forward = sum(forward_cost(hidden_widths(width, depth), probe).seconds for depth in ahead)
        back = sum(backward_cost(hidden_widths(width, depth), probe).seconds for depth in (1, 4))
        return forward + back

    plan = make_plan(tiny())
    expected = 4 * 2 * 3 * (passes("16", (4,)) + passes("12-4", (1, 4)))
    assert seconds_of(plan).sum() == pytest.approx(expected)


def test_what_is_left_pays_for_the_forward_pass_that_it_needs():
    plan = make_plan(tiny(width=16))
    left = plan.filter(np.array([cell.depth == 1 for cell in cells_of(plan)]))
    probe = Probe(batch=20)
    cell = forward_cost((16,), probe).seconds + backward_cost((16,), probe).seconds
    assert seconds_of(left) == pytest.approx(np.full(GRID_SIZE // 4, cell))
    assert seconds_of(left.slice(0, 0)).tolist() == []


def test_an_estimate_counts_cells_blocks_rows_and_flops():
    plan = make_plan(tiny(), shards=3)
    made = estimate(plan, seconds_of(plan))
    assert (made.cells, made.shards, made.blocks) == (GRID_SIZE, 3, len(list(blocks(plan))))
    assert made.rows == GRID_SIZE // 2 * (2 + 5)
    assert made.flops == sum(plan["flops"].to_pylist())
    draws = draws_memory((16,) * 4, Probe(batch=20))
    assert made.worker == max(plan["memory"].to_pylist()) + draws + WORKER_BYTES


def test_an_estimate_counts_the_rows_of_recorded_steps():
    plan = make_training_plan(tiny())
    made = estimate(plan, seconds_of(plan))
    assert (made.cells, made.shards) == (RUNS, 1)
    assert made.rows == len(recorded_steps(12)) * RUNS // 2 * (1 + 3)


def test_no_cells_take_nothing():
    plan = make_training_plan(Config.checked(TINY | {"training": None}, "test"))
    made = estimate(plan, seconds_of(plan))
    assert (made.cells, made.rows, made.flops, made.disk, made.time(1)) == (0, 0, 0, 0, 0)


def test_time_is_shared_by_the_cores_down_to_the_longest_block():
    made = Estimate(10, 4, 1, 10, 1.0, 1.0, 1.0, seconds=100.0, longest=30.0)
    assert [made.time(cores) for cores in (1, 2, 4, 1000)] == [100.0, 50.0, 30.0, 30.0]


def test_the_longest_block_is_that_of_the_rows():
    plan = make_plan(tiny())
    seconds = np.where(plan["seed"].to_numpy() == 1, 2.0, 0.0)
    assert estimate(plan, seconds).longest == seconds.sum()
    number = plan.schema.get_field_index("block")
    blocks_of_two = pa.array(plan["seed"].to_numpy() // 2, pa.int32())
    in_two = plan.set_column(number, plan.schema.field("block"), blocks_of_two)
    assert estimate(in_two, np.ones(GRID_SIZE)).longest == GRID_SIZE * 2 / 3


@pytest.mark.parametrize("histograms", [True, False])
def test_a_layer_row_takes_about_the_bytes_of_the_estimate(histograms, tmp_path):
    labels = ["lecun_normal", "he_normal", "glorot_uniform", "orthogonal"]
    config = tiny(initializer=labels, activation=["tanh", "gelu"], depth=30, width=64, seed={"count": 4})
    probe = {"batch": 50, "histograms": histograms}
    grid = config.grids[0].model_dump(mode="json") | {"probe": probe}
    plan = make_plan(Config.checked({"grids": [grid]}, "test"))
    cells = cells_of(plan)
    one, whole = (Store(tmp_path).write(compute(some)).stat().st_size for some in (cells[:1], cells))
    measured = (whole - one) * plan.num_rows / (plan.num_rows - 1)  # each file has a head and a foot too
    predicted = estimate(plan, seconds_of(plan)).disk / 2  # half is the dataset
    assert 0.6 < predicted / measured < 1.6


def test_estimates_are_shown_side_by_side_in_units_that_a_person_reads(capsys):
    small = Estimate(5, 1, 1, 30, 5.0e6, 3.0e8, 999.6, seconds=0.02, longest=0.02)
    large = Estimate(1_000_000, 70_000, 64, 51_000_000, 3.456e15, 1.25e9, 2.04e10, seconds=9.0e6, longest=1.0)
    show([("cells", large), ("training runs", small)], 32)
    lines = capsys.readouterr().out.splitlines()
    words = [" ".join(line.split()) for line in lines]
    assert words == [
        "cells training runs",
        "number 1,000,000 5",
        "blocks 70,000 1",
        "shards 64 1",
        "layer rows 51,000,000 30",
        "FLOPs 3.46 PFLOP 5 MFLOP",
        "peak memory of a worker 1.25 GB 300 MB",
        "bytes on disk 20.4 GB 1 kB",
        "time on 32 cores 3.3 days 1 s",
    ]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "1 s"),
        (59.6, "60 s"),
        (119.0, "119 s"),
        (150.0, "2.5 minutes"),
        (5e3, "83 minutes"),
        (4e4, "11 hours"),
    ],
)
def test_a_time_has_the_unit_that_a_person_would_take(seconds, shown):
    assert duration(seconds) == shown


def test_rows_of_a_plan_are_the_cells_of_its_grid():
    config = tiny(probe={"batch": 20, "bias_std": 0.1})
    grids = [config.grids[0], tiny().grids[0]]
    plan = make_plan(config.model_copy(update={"grids": grids}))
    expected = [
        forward_cost(hidden_widths(cell.width, cell.depth), cell.probe).flops
        + backward_cost(hidden_widths(cell.width, cell.depth), cell.probe).flops
        for cell in cells_of(plan)
    ]
    assert plan["flops"].to_pylist() == pytest.approx(expected)
    shuffled = plan.take(np.random.default_rng(0).permutation(plan.num_rows))
    alone = [seconds_of(shuffled.slice(i, 1))[0] for i in range(0, plan.num_rows, 7)]
    cells: list[Cell] = cells_of(shuffled)[::7]
    assert alone == pytest.approx([_alone(cell) for cell in cells])


def _alone(cell):
    widths = hidden_widths(cell.width, cell.depth)
    return forward_cost(widths, cell.probe).seconds + backward_cost(widths, cell.probe).seconds
