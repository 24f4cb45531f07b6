"""Workers that hang, or are lost with what looks after them, are replaced."""

import os
import signal
import time

import psutil
from distributed.core import Status
from support import CELLS, record, workers_of

from winit.sweep import standstill
from winit.sweep.cluster import open_cluster
from winit.sweep.settings import ClusterSettings


def test_a_stopped_worker_is_replaced_and_gone(project, undisturbed):
    project.configure(cluster={"hang_seconds": 5})
    project.hold(CELLS // 2)
    with project.start("winit", "sweep", "--threads", "2") as process:
        project.wait_for_cells(CELLS // 2 + 1)
        # Of two workers, the one that began a cell last; it is held in it.
        stopped, *_ = project.lines()[-1]
        assert stopped in {worker.pid for worker in workers_of(process)}
        psutil.Process(stopped).send_signal(signal.SIGSTOP)
        since = time.time()
        project.go_on()
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert f"{CELLS} computed" in said
    assert not psutil.pid_exists(stopped)
    assert project.layers() == undisturbed
    held = {cell for begun_by, cell, _ in project.lines() if begun_by == stopped}
    again = [when for _, cell, when in project.lines() if cell in held and when > since]
    record("a worker that hangs for 5 s (SIGSTOP)", 1, project.computed_twice(), max(again) - since)


def test_workers_that_are_lost_for_good_are_replaced():
    with open_cluster(ClusterSettings(), 2) as client:
        before = set(client.run(os.getpid).values())
        for nanny in list(client.cluster.workers.values()):
            client.sync(nanny.close)
        assert client.submit(os.getpid, pure=False).result(timeout=60) not in before


def pause(dask_worker):
    dask_worker.status = Status.paused


def number(value):
    return value, os.getpid()


def test_a_paused_worker_is_replaced_and_its_tasks_are_done_by_another(capfd, monkeypatch):
    monkeypatch.setattr(standstill, "_SECONDS_PAUSED", 0.5)
    with open_cluster(ClusterSettings(), 1) as client:
        (paused,) = client.scheduler_info()["workers"]
        old = client.submit(os.getpid, pure=False).result()
        client.run(pause)
        tasks = client.map(number, range(3), pure=False)
        found = client.gather(tasks)  # a task that is blamed for its worker's end raises
        assert [value for value, _ in found] == [0, 1, 2]
        assert old not in {process for _, process in found}
    said = capfd.readouterr().err
    assert f"the worker {paused} takes no more work" in said
    assert "another takes its place, and its cells are given back" in said
