"""How long a cell may take, and which cells can never end."""

import math

import pytest
from samples import tiny

from winit.errors import WinitError
from winit.sweep.kinds import cells_of
from winit.sweep.patience import Patience, check_time, estimated
from winit.sweep.plan import make_plan, make_training_plan, seconds_of
from winit.sweep.settings import BatchSettings, ClusterSettings

PLANS = pytest.mark.parametrize(
    "plan", [make_plan(tiny()), make_training_plan(tiny())], ids=["cells", "runs"]
)


def slurm(walltime):
    return ClusterSettings(kind="slurm", batch=BatchSettings(walltime=walltime))


@PLANS
def test_a_cell_by_itself_takes_at_least_what_it_adds_to_others(plan):
    assert all(
        estimated(cell) >= seconds * (1 - 1e-12)
        for cell, seconds in zip(cells_of(plan), seconds_of(plan), strict=True)
    )


@PLANS
def test_without_a_bound_of_the_users_it_is_generous(plan):
    cells = cells_of(plan)
    assert Patience().limit(cells) == 600
    (large, *_) = cells_of(make_plan(tiny(width=10_000, depth=1000)))
    assert Patience().limit([large]) == 100 * estimated(large) > 600


def test_the_users_bound_counts_and_no_cell_outlives_its_worker():
    (large, *_) = cells_of(make_plan(tiny(width=10_000, depth=1000)))
    assert Patience(cell=3.0).limit([large]) == 3
    assert Patience(lifetime=100.0).limit([large]) == 100


def test_the_config_says_it():
    config = tiny()
    assert Patience.of(config) == Patience(config.sweep.part_seconds, None, math.inf)
    in_jobs = config.model_copy(update={"cluster": slurm("01:00:00")})
    assert 2000 < Patience.of(in_jobs).lifetime < 3600


@PLANS
def test_what_takes_longer_than_a_worker_lives_is_refused_with_the_numbers(plan):
    cluster = slurm("00:10:00")
    check_time(plan, 1.0, cluster)
    slow = 1e5 / max(map(estimated, cells_of(plan)))
    check_time(plan, slow, ClusterSettings())
    with pytest.raises(WinitError, match=r"takes about 28 hours by itself, .*walltime 00:10:00 lives for"):
        check_time(plan, slow, cluster)


def test_nothing_is_refused_of_nothing():
    check_time(make_plan(tiny()).slice(0, 0), 1.0, slurm("00:01:00"))
