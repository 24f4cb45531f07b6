"""Functions that do not return, or take their worker with them, cost a bounded time, and no other cell."""

import itertools
import os
import queue
import signal
import time

import pytest
from samples import tiny

from winit.sweep.cluster import open_cluster
from winit.sweep.engine import Outcome, sweep
from winit.sweep.fetch import Fetch
from winit.sweep.patience import Patience
from winit.sweep.plan import make_plan
from winit.sweep.progress import Progress
from winit.sweep.settings import ClusterSettings
from winit.sweep.store import Store

OWN = """
import itertools, os, signal

from winit import Law

def endless(layer):
    while layer.depth > 2:
        pass
    return Law("normal", layer.fan_in**-0.5)

def deaf(layer):
    # In compiled code that never lets another thread run.
    if layer.depth > 2:
        sum(itertools.repeat(1))
    return Law("normal", layer.fan_in**-0.5)

def crash(layer):
    if layer.depth > 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return Law("normal", layer.fan_in**-0.5)

def starve(layer):
    # As one is ended that runs out of memory.
    if layer.depth > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return Law("normal", layer.fan_in**-0.5)

def leave(layer):
    if layer.depth > 2:
        os._exit(3)
    return Law("normal", layer.fan_in**-0.5)
"""


@pytest.fixture(scope="module")
def client():
    with open_cluster(ClusterSettings(), 2) as client:
        yield client


_SIZE = " of depth 4 and width 16"


@pytest.mark.parametrize(
    ("name", "seeds", "said"),
    [
        ("endless", 5, "it took longer than 10 s (sweep.cell_seconds)"),
        ("deaf", 1, "it took longer than 10 s (sweep.cell_seconds)"),
        ("crash", 8, "its worker died again and again; the last one was ended by signal 11 (SIGSEGV)"),
        (
            "starve",
            1,
            (
                "its worker died again and again; the last one was ended by signal 9 (SIGKILL), as one out of"
                " memory is by the system"
            ),
        ),
        ("leave", 8, "its worker died again and again; the last one exited with code 3"),
    ],
)
def test_a_function_that_never_comes_back_is_given_up(client, tmp_path, name, seeds, said):
    own = tmp_path / "own.py"
    own.write_text(OWN)
    label = f"{own}:{name}"
    plan = make_plan(
        tiny(initializer=["he_normal", label], activation="relu", width=16, seed={"count": seeds})
    )
    outcome = Outcome(plan.num_rows, 0)
    with Progress(plan.num_rows) as progress:
        sweep(plan, client, Store(tmp_path / "parts"), Patience(1.0, cell=10.0), outcome, progress)
    assert (outcome.computed, len(outcome.failed)) == (3 * seeds, seeds)
    reasons = {record.error for record in outcome.failed}
    # Which three cells were the first to fail one after the other depends on the workers.
    of_all, of_some = (
        f"given up after 3 cells of {label}{words}, one after the other: {said}" for words in ("", _SIZE)
    )
    assert said in reasons
    assert reasons <= {said, of_all, of_some}
    assert (len(reasons) > 1) == (seeds > 3)


def hold(path):
    """Let no other thread of the process run, for ever."""
    path.touch()
    sum(itertools.repeat(1))


def test_a_worker_that_does_not_answer_holds_back_no_results_but_its_own(tmp_path):
    with open_cluster(ClusterSettings(), 2) as client:
        deaf, other = client.scheduler_info()["workers"]
        process = client.submit(os.getpid, workers=[deaf], pure=False).result()
        its = client.map(int, range(3), workers=[deaf], allow_other_workers=True, pure=False)
        others = client.map(int, range(3), workers=[other], pure=False)
        assert [future.exception() for future in (*its, *others)] == [None] * 6  # they are finished
        assert {at for (at,) in client.who_has(its).values()} == {deaf}
        stuck = client.submit(hold, tmp_path / "held", workers=[deaf], pure=False)
        deadline = time.monotonic() + 60
        while not (tmp_path / "held").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        news = queue.SimpleQueue()
        came = list(Fetch(client, news).together([*its, *others]))
        while len(came) < 3:
            came.append(news.get(timeout=60))
        assert {future.key: outcome for future, outcome in came} == {f.key: i for i, f in enumerate(others)}
        stuck.cancel()
        os.kill(process, signal.SIGKILL)
        came = [news.get(timeout=120) for _ in its]  # computed anew, by the worker that takes its place
        assert {future.key: outcome for future, outcome in came} == {f.key: i for i, f in enumerate(its)}
