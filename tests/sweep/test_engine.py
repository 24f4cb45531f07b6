"""The sweep on a real cluster: only what is missing, failures alone, the same bits however it is cut."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from samples import GRID_SIZE, make_results, tiny

from winit.network.labels import LabelError
from winit.sweep import dispatch, engine
from winit.sweep import writer as writing
from winit.sweep.cluster import open_cluster
from winit.sweep.collect import collect
from winit.sweep.deaths import Deaths
from winit.sweep.dispatch import Dispatch
from winit.sweep.engine import Outcome, blocks
from winit.sweep.layout import Results
from winit.sweep.patience import Patience
from winit.sweep.plan import make_plan, write_plan
from winit.sweep.progress import Progress
from winit.sweep.settings import ClusterSettings
from winit.sweep.status import unfinished
from winit.sweep.store import Store
from winit.sweep.tasks import blas_threads, compute
from winit.sweep.writer import Writer


@pytest.fixture(scope="module")
def client():
    with open_cluster(ClusterSettings(), 2) as client:
        yield client


def run(plan, client, store, part_seconds=10.0, **patience):
    todo = unfinished(plan, store.index())
    outcome = Outcome(plan.num_rows, plan.num_rows - todo.num_rows)
    with Progress(todo.num_rows) as progress:
        engine.sweep(todo, client, store, Patience(part_seconds, **patience), outcome, progress)
    return outcome


def axes_of(config):
    (grid,) = config.grids
    names = ("initializer", "activation", "depth", "width", "seed")
    return {axis: list(getattr(grid, axis)) for axis in names}


def small_blocks(config, seconds=0.002):
    return config.model_copy(update={"sweep": config.sweep.model_copy(update={"block_seconds": seconds})})


def test_workers_are_processes_of_one_thread_each(client):
    pids = client.run(os.getpid)
    assert len(set(pids.values())) == 2
    assert os.getpid() not in pids.values()
    assert set(client.run(blas_threads).values()) == {1}


def test_the_cluster_speaks_tls_on_loopback_alone(client):
    info = client.scheduler_info()
    for address in (info["address"], *info["workers"]):
        assert address.startswith("tls://127.0.0.1:")


def test_only_the_missing_cells_are_computed(client, tmp_path):
    store = Store(tmp_path / "parts")
    plan = make_plan(tiny())
    assert run(plan, client, store).computed == GRID_SIZE
    assert run(plan, client, store).computed == 0
    added = {
        "initializer": "orthogonal",
        "activation": "gelu",
        "depth": 2,
        "width": "8",
        "seed": 7,
    }
    axes = axes_of(tiny())
    for axis, value in added.items():
        new = GRID_SIZE // len(axes[axis])
        assert run(make_plan(tiny(**{axis: [value, *axes[axis]]})), client, store).computed == new, axis
        assert run(make_plan(tiny(**{axis: [*axes[axis], value]})), client, store).computed == 0, axis


def test_a_smaller_grid_another_order_and_another_cut_compute_nothing(client, tmp_path):
    store = Store(tmp_path / "parts")
    config = tiny()
    run(make_plan(config), client, store)
    axes = axes_of(config)
    other_order = tiny(**{axis: values[::-1] for axis, values in axes.items()})
    smaller = [tiny(**{axis: values[1:]}) for axis, values in axes.items()]
    for changed in (other_order, small_blocks(config), *smaller):
        for plan in (make_plan(changed), make_plan(changed, shards=3)):
            assert unfinished(plan, store.index()).num_rows == 0


def test_any_cut_of_the_grid_gives_bit_identical_layers(client, tmp_path):
    config = tiny()
    whole = make_results(tmp_path / "whole", config)
    plan = make_plan(small_blocks(config), 3)
    assert len(plan["block"].unique()) > 5
    store = Store(tmp_path / "cut" / "parts")
    for shard in (3, 1, 2):
        run(plan.filter(pc.equal(plan["shard"], shard)), client, store, part_seconds=0.01)
    assert len(list(store.folder.iterdir())) > 2
    write_plan(plan, tmp_path / "cut/plan.parquet")
    collect(Results(tmp_path / "cut"), config.thresholds)
    (left,), (right,) = (sorted(folder.glob("layers/*")) for folder in (whole.folder, tmp_path / "cut"))
    assert left.read_bytes() == right.read_bytes()


OWN = """
import pathlib, time

from winit import Law

def wait(layer):
    while layer.depth > 2 and not pathlib.Path(__file__ + ".go").exists():
        time.sleep(0.01)
    return Law("normal", layer.fan_in**-0.5)

def complain(layer, about: str = "that"):
    if layer.depth > 2:
        raise ValueError(about)
    return Law("normal", layer.fan_in**-0.5)
"""


@pytest.fixture
def own(tmp_path):
    """A file with initializers that fail in deep networks."""
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_a_cell_that_raises_fails_alone_and_is_tried_again(client, tmp_path, own):
    config = tiny(initializer=["he_normal", f"{own}:complain"], seed=[0], width=[16])
    own.unlink()  # what is computed is what was planned, on workers that do not have the file too
    with pytest.raises(LabelError, match=r"own\.py cannot be read"):
        make_plan(config)
    own.write_text(OWN)
    store, plan = Store(tmp_path / "parts"), make_plan(config)
    own.unlink()
    outcome = run(plan, client, store)
    assert (outcome.computed, len(outcome.failed)) == (6, 2)
    assert {record.error for record in outcome.failed} == {"ValueError: that"}
    assert unfinished(plan, store.index()).num_rows == 2
    write_plan(plan, tmp_path / "plan.parquet")
    collect(Results(tmp_path), config.thresholds)
    cells = pq.read_table(tmp_path / "cells.parquet")
    failed = cells.filter(pc.equal(cells["status"], "failed"))
    assert set(failed["error"].to_pylist()) == {"ValueError: that"}
    assert failed["verdict"].null_count == failed.num_rows == 2


def test_finished_cells_reach_the_store_though_their_block_is_not_finished(client, tmp_path, own):
    plan = make_plan(tiny(initializer=["he_normal", f"{own}:wait"], activation="relu", width=16, seed=[0]))
    assert len(plan["block"].unique()) == 1
    store = Store(tmp_path / "parts")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run, plan, client, store, part_seconds=1.0)
        try:
            deadline = time.monotonic() + 120
            # Networks of one depth are computed together; only the deep ones wait.
            while store.index().num_rows == 0:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert not running.done()
        finally:
            Path(f"{own}.go").touch()
        outcome = running.result()
    assert (outcome.computed, outcome.failed) == (4, [])
    # What came early does not come again.
    assert sorted(record for part in store.folder.iterdir() for record in ids_in(part)) == sorted(
        plan["cell_id"].to_pylist()
    )


def ids_in(part):
    return set(pq.read_table(part)["cell_id"].to_pylist())


def test_an_edited_function_is_computed_anew_and_nothing_else_is(client, tmp_path, own):
    config = tiny(initializer=["he_normal", f"{own}:complain"], depth=[1, 2], seed=[0], width=[16])
    store = Store(tmp_path / "parts")
    assert run(make_plan(config), client, store).computed == 8
    assert run(make_plan(config), client, store).computed == 0
    own.write_text(OWN.replace("**-0.5", "**-0.25"))
    assert run(make_plan(config), client, store).computed == 4


def test_finished_work_reaches_the_disk_while_the_next_is_long_in_coming(tmp_path):
    store = Store(tmp_path / "parts")
    result = compute(next(blocks(make_plan(tiny()))))
    with Writer(store, 0.05) as writer:
        writer.add(result)
        deadline = time.monotonic() + 20
        while not list(store.folder.glob("*.parquet")):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_finished_work_is_written_before_it_fills_the_memory(tmp_path, monkeypatch):
    result = compute(next(blocks(make_plan(tiny()))))
    monkeypatch.setattr(writing, "PART_BYTES", 2 * result.rows.nbytes)
    written = []

    class Slow(Store):
        def write(self, part):
            time.sleep(0.01)
            written.append(len(part.records) // len(result.records))
            return super().write(part)

    with Writer(Slow(tmp_path / "parts"), 1e6) as writer:
        for _ in range(9):
            writer.add(result)
    # Two are held, and two at most are being written meanwhile.
    assert max(written) == 2
    assert sum(written) == 9


def test_a_bounded_number_of_blocks_is_in_flight(client, monkeypatch):
    plan = make_plan(small_blocks(tiny(), 1e-9))
    handed_out = 0

    def counted(todo):
        nonlocal handed_out
        for cells in blocks(todo):
            handed_out += 1
            yield cells

    monkeypatch.setattr(dispatch, "_FETCHED_AT_ONCE", 2)
    client.wait_for_workers(2, timeout=60)  # an earlier test may have killed one
    most = 0
    with Deaths(client) as deaths:
        handed = Dispatch(counted(plan), client, Patience(), deaths, print)
        for done, _ in enumerate(handed.results()):
            most = max(most, handed_out - done)
    # Three for each of two workers are computed or wait; two more are being fetched.
    assert done + 1 == handed_out == len(plan["block"].unique()) > 20
    assert 6 <= most <= 8


def test_what_cannot_be_written_is_raised_and_not_lost_in_a_thread(tmp_path):
    (tmp_path / "parts").write_text("a file where the folder should be")
    result = compute(next(blocks(make_plan(tiny()))))

    def write():
        with Writer(Store(tmp_path / "parts"), 0.01) as writer:
            for _ in range(1000):
                writer.add(result)
                time.sleep(0.01)

    with pytest.raises(OSError, match="parts"):
        write()
