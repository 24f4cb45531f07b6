"""How a worker ended is known of every worker, also of one that its nanny did not know yet."""

import asyncio
import os
import signal
import time

import distributed
import pytest
from distributed.nanny import WorkerProcess

from winit.sweep.cluster import open_cluster
from winit.sweep.deaths import UNSEEN, Deaths, _Obituary
from winit.sweep.settings import ClusterSettings


def end_by(code):
    """End the process: with an exit code, or by a signal, negative."""
    if code < 0:
        os.kill(os.getpid(), -code)
        time.sleep(60)  # another thread may take the signal
    os._exit(code)


def last_worker(client, code):
    """The last worker that a task ended."""
    exception = client.submit(end_by, code, pure=False, retries=0).exception(timeout=120)
    assert isinstance(exception, distributed.scheduler.KilledWorker)
    return exception.last_worker


@pytest.fixture
def client():
    with open_cluster(ClusterSettings(), 1) as client:
        yield client


ENDS = [
    (-signal.SIGKILL, "was ended by signal 9 (SIGKILL), as one out of memory is by the system"),
    (-signal.SIGSEGV, "was ended by signal 11 (SIGSEGV)"),
    (3, "exited with code 3"),
    (0, "exited with code 0"),
]


def test_every_end_of_the_workers_of_a_nanny_is_told_apart(client):
    with Deaths(client) as deaths:
        for code, words in ENDS:
            assert deaths.end_of(last_worker(client, code)).words == words


def test_a_worker_that_ends_before_its_nanny_knows_it(client, monkeypatch):
    # A nanny asks now and then whether its worker has begun, which has its first task by then.
    monkeypatch.setattr(WorkerProcess, "_init_msg_interval", 10.0)
    with Deaths(client) as deaths:
        for code, words in ENDS:
            assert deaths.end_of(last_worker(client, code)).words == words


def test_a_nanny_that_comes_later_tells_too(client):
    with Deaths(client) as deaths:
        (first,) = client.scheduler_info()["workers"]
        client.retire_workers([first])  # the cluster replaces it, with another nanny
        worker = last_worker(client, 3)
        assert worker.address != first
        assert deaths.end_of(worker).words == "exited with code 3"


def test_a_nanny_that_is_gone_is_not_waited_for(client):
    asked = []

    class Counting(_Obituary):
        def setup(self, nanny):
            asked.append(nanny.process)
            super().setup(nanny)

    async def told_of_a_closed_one():
        (nanny,) = client.cluster.workers.values()
        await nanny.close()
        Counting().setup(nanny)
        await asyncio.sleep(0.3)

    client.sync(told_of_a_closed_one)
    assert asked == [None]


def test_an_end_that_nobody_tells_of(client):
    worker = last_worker(client, 3)
    with Deaths(client) as deaths:
        assert deaths.end_of(worker) is UNSEEN
