"""Functions that do not return, or take their worker with them, cost a bounded time, and no other cell."""

import pytest
from samples import tiny

from winit.sweep.cluster import open_cluster
from winit.sweep.engine import Outcome, sweep
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
