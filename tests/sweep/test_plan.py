"""The plan: each cell once, whatever the spelling of the grid; blocks and shards of even cost."""

import collections
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from samples import GRID_SIZE, RUNS, TINY, tiny

from winit.errors import WinitError
from winit.network.cells import Cell, Probe, hidden_widths
from winit.network.kernel import measure, networks_in_a_stack
from winit.network.training import Run, Task, train
from winit.sweep.config import Config
from winit.sweep.costs import (
    activation_arrays,
    backward_cost,
    draws_memory,
    forward_cost,
    making,
    memory,
    result_memory,
    training_memory,
)
from winit.sweep.engine import blocks
from winit.sweep.kinds import cells_of
from winit.sweep.machine import WORKER_BYTES
from winit.sweep.plan import check_memory, check_size, make_plan, make_training_plan, shards_of
from winit.sweep.schema import PLAN, TRAINING_PLAN
from winit.sweep.settings import ClusterSettings


def test_a_plan_has_every_cell_of_the_product_once_under_its_own_id():
    plan = make_plan(tiny())
    cells = cells_of(plan)
    assert plan.schema.equals(PLAN)
    assert len(cells) == len(set(cells)) == GRID_SIZE
    assert [cell.id for cell in cells] == plan["cell_id"].to_pylist()
    assert {cell.width for cell in cells} == {"16", "12-4"}
    assert {cell.probe for cell in cells} == {Probe(batch=20)}


def test_overlapping_grids_are_united():
    grid = TINY["grids"][0]
    more = grid | {"depth": [4, 9]}
    plan = make_plan(Config.checked(TINY | {"grids": [grid, more, grid]}, "test"))
    assert plan.num_rows == GRID_SIZE * 3 / 2


def test_a_cell_asked_for_with_and_without_histograms_is_computed_once_with_them():
    grid = TINY["grids"][0]
    plain = grid | {"depth": [4, 9], "probe": {"histograms": False}}
    for grids in ([grid, plain], [plain, grid]):
        plan = make_plan(Config.checked(TINY | {"grids": grids}, "test"))
        assert plan.num_rows == GRID_SIZE * 3 / 2
        shown = set(zip(plan["depth"].to_pylist(), plan["histograms"].to_pylist(), strict=True))
        assert shown == {(1, True), (4, True), (9, False)}


def test_the_order_of_the_axes_and_of_the_grids_does_not_matter():
    plan = make_plan(tiny())
    turned = make_plan(
        tiny(
            initializer=TINY["grids"][0]["initializer"][::-1],
            depth=[4, 1],
            seed=[2, 0, 1],
            width=["12-4", 16],
        )
    )
    assert plan.equals(turned)


def test_cells_of_one_network_are_in_one_block():
    plan = make_plan(tiny(depth=list(range(1, 30)), width=[64]))
    where = collections.defaultdict(set)
    for cell, block in zip(cells_of(plan), plan["block"].to_pylist(), strict=True):
        where[cell.initializer, cell.activation, cell.seed].add(block)
    assert all(len(found) == 1 for found in where.values())


def test_blocks_are_runs_numbered_from_zero_and_near_the_target():
    config = tiny(width=[256], depth=[10], seed={"count": 40}).model_copy(
        update={"sweep": tiny().sweep.model_copy(update={"block_seconds": 0.05})}
    )
    plan = make_plan(config)
    numbers = plan["block"].to_numpy()
    assert sorted(set(numbers)) == list(range(numbers.max() + 1))
    assert (np.diff(numbers) >= 0).all()
    widths = (256,) * 10
    probe = Probe(batch=20)
    cell = forward_cost(widths, probe).seconds + backward_cost(widths, probe).seconds
    sizes = [len(cells) * cell for cells in blocks(plan)]
    assert max(sizes[:-1]) <= 0.05 + cell
    assert min(sizes[:-1]) >= 0.05 - cell


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_shards_are_of_even_cost_and_never_share_a_block(shards):
    config = tiny(width=[64], depth=[2, 20], seed={"count": 60}).model_copy(
        update={"sweep": tiny().sweep.model_copy(update={"block_seconds": 0.01})}
    )
    plan = make_plan(config, shards)
    shard = plan["shard"].to_numpy()
    assert set(shard) == set(range(1, shards + 1))
    pairs = set(zip(plan["block"].to_pylist(), shard, strict=True))
    assert len(pairs) == len({block for block, _ in pairs})
    flops = np.bincount(shard, plan["flops"].to_numpy())[1:]
    assert flops.max() < 1.25 * flops.min()


def test_without_grids_there_are_no_cells():
    config = Config.checked(TINY | {"grids": []}, "test")
    plan = make_plan(config, shards=3)
    assert plan.num_rows == 0
    assert plan.schema.equals(PLAN)
    assert shards_of(plan) == 3
    assert make_training_plan(config).num_rows == RUNS


def test_the_number_of_shards_and_the_length_of_blocks_do_not_enter_the_identity():
    assert make_plan(tiny(), 1)["cell_id"] == make_plan(tiny(), 7)["cell_id"]


def test_costs_count_the_products_and_arrays_of_a_network():
    widths, probe = (100, 50), Probe(batch=30, outputs=7)
    products = 2 * 30 * (100 * 100 + 100 * 50)
    assert forward_cost(widths, probe).flops == products
    grams = 30**2 * ((100 + 100) + (100 + 50))
    assert backward_cost(widths, probe).flops == 2 * 30 * (2 * 50 * 7 + 100 * 50) + grams


@pytest.mark.parametrize(("batch", "width", "depth"), [(64, "256", 8), (300, "128", 8), (50, "300-20", 5)])
@pytest.mark.parametrize("label", ["normal(std=0.{})", "orthogonal(gain=0.{})"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_memory_of_the_networks_that_are_computed_together_is_predicted(
    batch, width, depth, dtype, label
):
    widths, probe = hidden_widths(width, depth), Probe(batch=batch, dtype=dtype)
    together = networks_in_a_stack(widths, probe)
    cells = [Cell(label.format(10 + k), "gelu", depth, width, 0, probe) for k in range(together)]
    list(measure(cells[:1]))  # compiled and imported
    tracemalloc.start()
    list(measure(cells, room=0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    made = making(cells[0].initializer, "gelu", dtype)
    predicted = memory(widths, probe, made, activation_arrays("gelu"))
    predicted += together * result_memory(depth)
    assert 0.5 * predicted < peak < predicted


def test_draws_that_find_no_room_are_drawn_again():
    widths, probe = (300,) * 20, Probe(batch=10)
    cell = Cell("he_normal", "relu", 20, "300", 0, probe)
    list(measure([cell]))
    peaks = []
    for room in (0.0, draws_memory(widths, probe)):
        tracemalloc.start()
        list(measure([cell], room))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    draws = draws_memory(widths, probe)
    assert peaks[0] < 0.5 * draws < 0.9 * draws < peaks[1] - peaks[0]


def test_a_training_plan_has_every_run_once_under_its_own_id():
    plan = make_training_plan(tiny())
    runs = cells_of(plan)
    assert plan.schema.equals(TRAINING_PLAN)
    assert len(runs) == len(set(runs)) == RUNS
    assert [run.id for run in runs] == plan["cell_id"].to_pylist()
    assert {run.task for run in runs} == {Task(steps=12, batch=32)}
    assert {run.learning_rate for run in runs} == {0.1, 1e3}
    assert plan["outputs"].unique().to_pylist() == [10]


def test_training_grids_are_united_whatever_their_order():
    section = TINY["training"]
    (grid,) = section["grids"]
    more = grid | {"depth": [2, 3], "seed": [1, 0]}
    plans = [
        make_training_plan(Config.checked(TINY | {"training": section | {"grids": grids}}, "test"))
        for grids in ([grid, more], [more, grid, grid])
    ]
    assert plans[0].equals(plans[1])
    assert plans[0].num_rows == RUNS * 3 / 2


@pytest.mark.parametrize("section", [None, {}, {"grids": []}, {"task": {"steps": 5}}])
def test_without_training_grids_there_are_no_runs(section):
    plan = make_training_plan(Config.checked(TINY | {"training": section}, "test"))
    assert plan.num_rows == 0
    assert plan.schema.equals(TRAINING_PLAN)
    assert cells_of(plan) == []


@pytest.mark.parametrize(
    ("batch", "width", "depth"), [(64, "256", 4), (5000, "64", 3), (16, "300-20", 3), (8, "32", 100)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_memory_of_a_run_is_predicted(batch, width, depth, dtype):
    run = Run("he_normal", "gelu", depth, width, 0.1, 0, Task(steps=2, batch=batch, dtype=dtype))
    list(train([run]))  # compiled and imported
    tracemalloc.start()
    list(train([run]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    predicted = training_memory(hidden_widths(width, depth), run.task)
    assert 0.3 * predicted < peak < predicted


def machine(memory, workers):
    return replace(ClusterSettings().room(workers), memory=memory)


def test_a_cell_must_fit_into_the_share_of_a_worker():
    plan = make_plan(tiny(width=2048))
    cell = max(plan["memory"].to_pylist())
    worker = (cell + WORKER_BYTES) / 0.95
    check_memory(plan, machine(4.001 * worker, 4))
    with pytest.raises(WinitError) as refused:
        check_memory(plan, machine(3.999 * worker, 4))
    message = str(refused.value)
    assert f"a cell of depth 4, width 2048 and batch 20 needs about {cell / 1e9:.1f} GB" in message
    assert f"each of 4 workers has {cell / 1e9:.1f} of the machine's {3.999 * worker / 1e9:.1f} GB" in message
    assert "start at most 3 (`snakemake --cores 3`, `winit plan --threads 3`" in message
    check_memory(plan, machine(3.999 * worker, 3))


def test_a_cell_that_fits_into_no_worker_must_be_smaller():
    plan = make_training_plan(tiny())
    with pytest.raises(
        WinitError, match=r"a run of depth 2, width 8 .* the machine's memory is 0\.3 GB; take a smaller"
    ):
        check_memory(plan, machine(WORKER_BYTES, 4))


def test_there_are_no_more_workers_than_cells():
    plan = make_plan(tiny()).slice(0, 2)
    check_memory(plan, machine(3 * WORKER_BYTES, 1000))
    check_memory(plan.slice(0, 0), machine(0.0, 4))


def test_a_plan_that_does_not_fit_into_memory_is_refused_before_it_is_made():
    grid = TINY["grids"][0] | {"depth": list(range(1, 10_001)), "width": list(range(1, 10_001))}
    config = Config.checked({"grids": [grid | {"seed": {"count": 10}}]}, "test", any_size=True)
    check_size(tiny(), 1e9)
    with pytest.raises(WinitError, match=r"a plan of 8,000,000,000 cells takes about 4,000 GB .* 25\.0 GB"):
        check_size(config, 25e9)
    with pytest.raises(WinitError, match="a plan of 96 cells"):
        check_size(tiny(), 96 * 100)
