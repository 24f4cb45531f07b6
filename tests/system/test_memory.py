"""Memory, for real: what cells take is foretold, and workers whose memory fills up do not stop the sweep."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from winit.network.cells import Cell, Probe, hidden_widths
from winit.network.kernel import measure
from winit.sweep import cluster, machine, settings
from winit.sweep.config import Config
from winit.sweep.costs import activation_arrays, making, memory, result_memory
from winit.sweep.engine import Outcome, sweep
from winit.sweep.patience import Patience
from winit.sweep.plan import check_memory, largest_memory, make_plan
from winit.sweep.progress import Progress
from winit.sweep.store import Store

# Of a process like a worker: the high-water mark while it computes a cell, less what it held before.
PEAK = """
import json, re, sys, threading
from winit.network.cells import Cell, Probe
from winit.network.kernel import measure

def held(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+)", file.read()).group(1)) * 1024

cell, probe = json.loads(sys.argv[1])
for width, batch in (("8", 4), ("8", 20), ("64", 20)):
    small = Probe(**probe | {"batch": batch, "outputs": 10})
    list(measure([Cell(**cell | {"depth": 2, "width": width}, probe=small)]))
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = held("VmRSS")
thread = threading.Thread(target=lambda: list(measure([Cell(**cell, probe=Probe(**probe))], room=0)))
thread.start()
thread.join()
print(held("VmHWM") - before)
"""


@pytest.mark.parametrize(
    ("depth", "width", "probe", "label"),
    [
        (2, "20000", {"batch": 1}, "he_normal"),
        (3, "8000", {"batch": 100}, "he_normal"),
        (3, "500", {"batch": 40_000}, "he_normal"),
        (20, "1000", {"batch": 2000}, "he_normal"),
        (3, "4000", {"batch": 200}, "orthogonal"),
        (3, "4000", {"batch": 200}, "jax.uniform"),
        (3, "4000", {"batch": 200, "dtype": "float64"}, "he_normal"),
        (2, "1000", {"batch": 2000, "outputs": 40_000}, "he_normal"),
        (6, "6000-100", {"batch": 3000}, "he_normal"),
    ],
)
def test_the_memory_of_a_large_cell_is_foretold(depth, width, probe, label):
    cell = {"initializer": label, "activation": "tanh", "depth": depth, "width": width, "seed": 0}
    environment = os.environ | cluster.WORKER_ENVIRONMENT
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, json.dumps([cell, probe])],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    peak = int(ran.stdout)
    made = making(label, "tanh", Probe(**probe).dtype)
    foretold = memory(hidden_widths(width, depth), Probe(**probe), made, activation_arrays("tanh"))
    foretold += result_memory(depth)
    assert peak < foretold < 1.5 * peak


def swept(plan, folder, monkeypatch, limit):
    """What a sweep on one worker with so much memory comes to."""
    for module in (cluster, settings):
        monkeypatch.setattr(module, "memory_limit", lambda: limit)
    check_memory(plan, settings.ClusterSettings().room(1))
    outcome = Outcome(plan.num_rows, 0)
    with (
        cluster.open_cluster(settings.ClusterSettings(), 1, folder) as client,
        Progress(plan.num_rows) as progress,
    ):
        sweep(plan, client, Store(folder / "parts"), Patience(1.0), outcome, progress)
    return outcome


def config(**grid):
    probe = {"batch": grid.pop("batch")}
    return Config.checked(
        {"grids": [grid], "probe": probe, "training": {"grids": []}, "sweep": {"block_seconds": 1e-6}}, "test"
    )


def test_cells_that_fill_what_the_plan_lets_them_have_follow_each_other(tmp_path, monkeypatch):
    # Beyond the share at which Dask by itself pauses a worker for good.
    list(measure([Cell("he_normal", "relu", 2, "64", 0, Probe(batch=100))]))  # compiled
    labels = ["he_normal", "he_uniform", "lecun_normal", "glorot_normal"]
    plan = make_plan(config(initializer=labels, activation="relu", depth=20, width=500, seed=0, batch=2000))
    limit = (largest_memory(plan) + machine.WORKER_BYTES) / machine.USABLE * 1.01
    outcome = swept(plan, tmp_path, monkeypatch, limit)
    assert (outcome.computed, outcome.failed) == (4, [])


HOARDING = """
import numpy as np

kept = []

def hoarding(layer):
    if layer.depth == 3 and layer.index == 1:
        kept.append(np.ones(8_000_000))
    return layer.standard("normal") / layer.fan_in**0.5
"""


def test_a_worker_that_a_function_fills_up_is_replaced_between_cells(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("hoards.py").write_text(HOARDING)
    plan = make_plan(
        config(
            initializer="hoards.py:hoarding",
            activation="tanh",
            depth=3,
            width=500,
            seed={"count": 16},
            batch=5000,
        )
    )
    outcome = swept(plan, tmp_path, monkeypatch, 1.0e9)
    assert (outcome.computed, outcome.failed) == (16, [])
    assert "takes no more work" in capfd.readouterr().err
