"""Workers that hang, or are lost with what looks after them, are replaced."""

import os
import signal
import time

import psutil
from support import CELLS, record, workers_of

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
