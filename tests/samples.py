"""A small results folder, made by the real steps without a cluster."""

import copy

import pyarrow.parquet as pq

from winit.sweep.collect import collect
from winit.sweep.config import Config
from winit.sweep.engine import blocks
from winit.sweep.layout import Results
from winit.sweep.plan import make_plan
from winit.sweep.store import Store
from winit.sweep.tasks import compute

TINY = {
    "grids": [
        {
            "initializer": ["zeros", "he_normal", "normal(std=0.01)", "lecun_normal"],
            "activation": ["tanh", "relu"],
            "depth": [1, 4],
            "width": [16, "12-4"],
            "seed": {"count": 3},
        }
    ],
    "probe": {"batch": 20},
}
GRID_SIZE = 4 * 2 * 2 * 2 * 3


def tiny(**changes):
    """The config above, with some keys of its one grid replaced."""
    data = copy.deepcopy(TINY)
    data["grids"][0] |= changes
    return Config.checked(data, "test")


def make_results(folder, config):
    """Plan, compute, store and collect into ``folder``."""
    results = Results(folder)
    folder.mkdir(exist_ok=True)
    plan = make_plan(config)
    pq.write_table(plan, results.plan)
    store = Store(results.parts)
    for cells in blocks(plan):
        done = compute(cells)
        store.write(done.rows, done.records, done.packages)
    collect(results, config.thresholds)
    (folder / "config.yaml").write_text(config.to_yaml())
    return results
