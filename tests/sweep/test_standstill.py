"""Workers that take no more work: replaced, with nothing blamed on what they held."""

import asyncio

import pytest

from winit.errors import WinitError
from winit.sweep import standstill
from winit.sweep.standstill import Standstill, leave


def worker(status="running", **tasks):
    metrics = {"task_counts": tasks, "memory": 9e8}
    return {"status": status, "metrics": metrics, "memory_limit": 10**9}


class Client:
    """As ``Standstill`` knows one; workers answer ``answer``."""

    def __init__(self, answer="leaving", **workers):
        self.workers, self.answer, self.asked = workers, answer, []

    def scheduler_info(self, n_workers):
        return {"workers": self.workers}

    def sync(self, function, *arguments):
        return asyncio.run(function(*arguments))

    async def run(self, function, workers, on_error):
        assert (function, on_error) == (leave, "return")
        self.asked += workers
        return dict.fromkeys(workers, self.answer)


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(standstill.time, "monotonic", lambda: now[0])
    return now


def look(client, clock, *, until):
    """All that is said by then."""
    said = []
    watch = Standstill(client, said.append)
    while clock[0] < until:
        clock[0] += watch.look()
    return said


@pytest.mark.parametrize(
    "working",
    [worker(), worker(executing=1), worker(executing=1, ready=2), worker(memory=3)],
)
def test_workers_at_work_or_without_any_are_left_alone(clock, working):
    client = Client(a=working)
    assert look(client, clock, until=300) == []
    assert client.asked == []


@pytest.mark.parametrize(
    ("stuck", "within", "why"),
    [
        (worker("paused"), 10, "takes no more work, with 858.31 MiB of 0.93 GiB of its memory in use"),
        (worker("paused", executing=1), 10, "takes no more work"),
        (worker(ready=2), 70, "has work and does nothing, for 60 s"),
    ],
)
def test_a_worker_that_stands_still_is_replaced_within_a_bound_and_said_once(clock, stuck, within, why):
    client = Client(a=stuck, b=worker(executing=1))
    said = look(client, clock, until=within)
    assert set(client.asked) == {"a"}
    assert len(said) == 1
    assert f"the worker a {why}" in said[0]
    assert "another takes its place" in said[0]


def test_a_worker_that_computes_something_after_all_is_not_replaced(clock):
    assert look(Client("busy", a=worker("paused")), clock, until=300) == []


def test_where_nobody_would_start_another_it_says_so_and_gives_up(clock):
    client = Client("alone", a=worker("paused"))
    with pytest.raises(WinitError, match="none has a nanny"):
        look(client, clock, until=300)
    assert clock[0] < 80
    said = look(Client("alone", a=worker("paused"), b=worker(executing=1)), clock, until=clock[0] + 300)
    assert len(said) == 1
    assert "it has no nanny" in said[0]


def test_a_large_cluster_is_looked_at_more_rarely(clock):
    few = Standstill(Client(a=worker())).look()
    many = Standstill(Client(**{f"w{i}": worker() for i in range(1000)})).look()
    assert few < many < 60
