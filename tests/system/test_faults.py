"""Whatever dies: nothing is lost, the same command goes on, and the bits are the same."""

import signal
import time

from support import CELLS, record, workers_of


def sweeping(project):
    """A sweep that has begun, and put something into the store."""
    process = project.start("winit", "sweep", "--threads", "2")
    project.wait_for_parts()
    return process


def test_workers_killed_again_and_again(project, undisturbed):
    process = sweeping(project)
    kills = []
    while process.poll() is None and len(kills) < 8:
        if victims := workers_of(process):
            victims[len(kills) % len(victims)].send_signal(signal.SIGKILL)
            kills.append(time.time())
        time.sleep(0.7)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert f"{CELLS} computed" in said
    assert "0 failed" in said
    assert project.layers() == undisturbed
    assert len(kills) >= 4
    record("a worker killed (SIGKILL)", len(kills), project.computed_twice(), project.recovery(kills[-1]))
