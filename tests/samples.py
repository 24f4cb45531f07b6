"""A small results folder, made by the real steps without a cluster."""

import copy
import itertools
import shutil
import tempfile
from functools import cache
from pathlib import Path

import yaml

from winit.findings.predictions import write_theory
from winit.findings.summary import summarize
from winit.sweep.belonging import write_plans
from winit.sweep.collect import collect, collect_training
from winit.sweep.config import Config
from winit.sweep.engine import blocks
from winit.sweep.layout import Results
from winit.sweep.plan import make_plan, make_training_plan
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
    "training": {
        "grids": [
            {
                "initializer": ["zeros", "he_normal"],
                "activation": ["tanh", "relu"],
                "depth": [0, 2],
                "width": 8,
                "learning_rate": [0.1, 1e3],
                "seed": {"count": 2},
            }
        ],
        "task": {"steps": 12, "batch": 32},
    },
}
GRID_SIZE = 4 * 2 * 2 * 2 * 3
RUNS = 2 * 2 * 2 * 2 * 2
_KEPT = tempfile.TemporaryDirectory(prefix="winit-samples-")
_NUMBERS = itertools.count()


def tiny(**changes):
    """The config above, with some keys of its one grid replaced."""
    data = copy.deepcopy(TINY)
    data["grids"][0] |= changes
    return Config.checked(data, "test")


def make_results(folder, config):
    """Plan, compute, store and collect into ``folder``."""
    return _copied(_compute, folder, config)


def make_findings(folder, config):
    """The same, with theory and summary."""
    return _copied(_find, folder, config)


def _copied(make, folder, config):
    """What ``make`` makes of a config, made once in a run of the tests, but for code that may change."""
    if ".py:" in config.to_yaml():
        make(Results(folder), config)
    else:
        shutil.copytree(_kept(make, config.to_yaml()), folder, dirs_exist_ok=True)
    return Results(folder)


@cache
def _kept(make, config):
    folder = Path(_KEPT.name, f"{next(_NUMBERS)}")
    make(Results(folder), Config.checked(yaml.safe_load(config), "test"))
    return folder


def _compute(results, config):
    plans = (make_plan(config), make_training_plan(config))
    write_plans(config, results, *plans)
    for sweep, plan in zip((results, results.training_sweep), plans, strict=True):
        store = Store(sweep.parts)
        for cells in blocks(plan):
            store.write(compute(cells))
    collect(results, config.thresholds)
    collect_training(results, config.thresholds)


def _find(results, config):
    _copied(_compute, results.folder, config)
    write_theory(results, config)
    summarize(results)
