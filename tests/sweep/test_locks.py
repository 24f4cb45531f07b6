"""Locks: one at a time, and none outlives the process that holds it."""

import io
import os
import subprocess
import sys
import threading

import pytest

from winit.sweep.locks import HeldError, exclusive, held

HOLDER = """
import sys, time
from pathlib import Path
from winit.sweep.locks import exclusive

with exclusive(Path(sys.argv[1]), "sits there"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def path(tmp_path):
    """Of a lock, in a folder that is not there yet."""
    return tmp_path / "locks" / "lock"


@pytest.fixture
def holder(path):
    """Another process, which holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_that_a_lock_is_held_is_seen_and_leaves_it_as_it_was(holder, path):
    assert held(path)
    holder.kill()
    holder.wait()
    assert not held(path)
    with exclusive(path, "comes next", wait=False):
        assert held(path)


def test_who_does_not_wait_is_told_who_holds_it_and_what_for(holder, path):
    held = pytest.raises(HeldError, match=rf"process {holder.pid} on .*, which sits there")
    with held, exclusive(path, "comes late", wait=False):
        raise AssertionError("two at a time")
    assert f"process {holder.pid} on" in path.read_text(), "who did not get it wrote into it"


class Told(io.StringIO):
    """Where it is said that one waits."""

    def __init__(self):
        super().__init__()
        self.waiting = threading.Event()

    def write(self, text):
        super().write(text)
        if "waiting" in self.getvalue():
            self.waiting.set()


def test_who_waits_says_for_whom_and_goes_on_when_that_is_killed(holder, path, monkeypatch):
    # Killed before anybody waits, it would not be waited for: so it is killed once that was said.
    entered, said = threading.Event(), Told()
    monkeypatch.setattr(sys, "stderr", said)

    def kill_when_waited_for():
        said.waiting.wait(60)
        assert not entered.is_set()
        holder.kill()

    killer = threading.Thread(target=kill_when_waited_for)
    killer.start()
    with exclusive(path, "comes late"):
        entered.set()
        assert path.read_text().startswith(f"process {os.getpid()} on ")
        assert path.read_text().endswith(", which comes late")
    killer.join()
    assert f"waiting for process {holder.pid} on " in said.getvalue()


def test_a_process_that_is_killed_leaves_nothing_to_remove(holder, path):
    holder.kill()
    holder.wait()
    assert path.exists()
    with exclusive(path, "comes late", wait=False):
        pass


def test_it_is_given_back_at_the_end_and_after_an_error(path):
    with pytest.raises(ValueError, match="oh"), exclusive(path, "fails"):
        raise ValueError("oh")
    for _ in range(2):
        with exclusive(path, "goes on", wait=False):
            pass


def test_it_holds_within_a_process_too(path):
    held = pytest.raises(HeldError, match=rf"process {os.getpid()} on .*, which is first")
    with exclusive(path, "is first"), held, exclusive(path, "is second", wait=False):
        raise AssertionError("two at a time")
