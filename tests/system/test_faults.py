"""Whatever dies: nothing is lost, the same command goes on, and the bits are the same."""

import os
import random
import signal
import subprocess
import time
from contextlib import contextmanager

import psutil
import pyarrow.parquet as pq
import pytest
from support import CELLS, record, workers_of

from winit.sweep.store import Store

SWEEP = ("winit", "sweep", "--threads", "2")
WORKFLOW = ("snakemake", "--cores", "2")


@pytest.fixture
def sweeping(project):
    """A sweep that has begun, and put something into the store. Half of its cells are held."""
    project.hold(CELLS // 2)
    process = project.start(*SWEEP)
    project.wait_for_parts()
    yield process
    project.go_on()


def ended(process):
    """Return code and what it said."""
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def assert_gone(processes):
    _, left = psutil.wait_procs(processes, timeout=15)
    assert not left


def assert_goes_on(project, undisturbed):
    """The same command computes what is missing, and all is as if nothing had happened."""
    project.go_on()
    code, said = project.run(*SWEEP)
    assert code == 0, said
    assert project.layers() == undisturbed


def test_workers_killed_again_and_again(project, undisturbed):
    kills = []
    project.hold(5)
    sweeping = project.start(*SWEEP)
    for begun in range(5, 53, 6):
        project.wait_for_cells(begun + 1)
        victim, *_ = project.lines()[-1]
        kills.append(time.time())
        os.kill(victim, signal.SIGKILL)
        project.hold(begun + 6)
    project.go_on()
    code, said = ended(sweeping)
    assert code == 0, said
    assert f"{CELLS} computed" in said
    assert "0 failed" in said
    assert project.layers() == undisturbed
    record("a worker killed (SIGKILL)", len(kills), project.computed_twice(), project.recovery(kills[-1]))


def test_the_sweep_killed_with_the_scheduler_in_it(project, undisturbed):
    kills = []
    for wanted in (5, 20, 40):
        project.hold(wanted)
        process = project.start(*SWEEP)
        project.wait_for_cells(wanted)
        workers = workers_of(process)
        assert len(workers) == 2
        process.kill()
        kills.append(time.time())
        ended(process)
        assert_gone(workers)
    assert_goes_on(project, undisturbed)
    record("the scheduler killed", len(kills), project.computed_twice(), project.recovery(kills[-1]))


def test_ctrl_c(project, sweeping, undisturbed):
    workers = workers_of(sweeping)
    os.killpg(sweeping.pid, signal.SIGINT)  # as a terminal does: to all processes of the job
    when = time.time()
    code, said = ended(sweeping)
    assert code == 130
    assert said.splitlines()[-1] == "winit: stopped; what is finished is kept, the same command goes on"
    assert "Traceback" not in said
    assert_gone(workers)
    assert not list(project.results.glob("parts/.*"))
    store = Store(project.results / "parts")
    assert all(store.verified(path.name) for path in store.folder.glob("*.parquet"))
    assert_goes_on(project, undisturbed)
    record("Ctrl-C", 1, project.computed_twice(), project.recovery(when))


def test_ctrl_c_in_the_workflow(project, undisturbed):
    project.hold(CELLS // 2)
    process = project.start(*WORKFLOW, "results/cells.parquet")
    project.wait_for_parts()
    everything = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    when = time.time()
    code, said = ended(process)
    assert code != 0
    assert "winit: stopped; what is finished is kept, the same command goes on" in said
    assert_gone(everything)
    project.go_on()
    code, said = project.run(*WORKFLOW, "results/cells.parquet")
    assert code == 0, said
    assert project.layers() == undisturbed
    record("Ctrl-C in the workflow", 1, project.computed_twice(), project.recovery(when))


def test_sigterm(project, sweeping, undisturbed):
    workers = workers_of(sweeping)
    sweeping.send_signal(signal.SIGTERM)
    when = time.time()
    code, said = ended(sweeping)
    assert code == 143
    assert said.splitlines()[-1] == "winit: terminated; what is finished is kept, the same command goes on"
    assert "Traceback" not in said
    assert_gone(workers)
    assert_goes_on(project, undisturbed)
    record("SIGTERM", 1, project.computed_twice(), project.recovery(when))


def test_a_terminal_that_is_closed(project, sweeping, undisturbed):
    workers = workers_of(sweeping)
    os.killpg(sweeping.pid, signal.SIGHUP)  # as the kernel does: to all processes of the job
    when = time.time()
    code, said = ended(sweeping)
    assert code == 129
    last = "winit: the terminal was closed; what is finished is kept, the same command goes on"
    assert said.splitlines()[-1] == last
    assert "Traceback" not in said
    assert_gone(workers)
    assert_goes_on(project, undisturbed)
    record("SIGHUP", 1, project.computed_twice(), project.recovery(when))


def test_snakemake_killed_twenty_times(project, undisturbed):
    chance = random.Random(20)
    for kill in range(20):
        process = project.start(*WORKFLOW, stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 11.0))
        if process.poll() is not None:
            assert process.returncode == 0
        # Alone, as by a watchdog, or with all that it started, as by a batch system.
        elif kill % 2:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        when = time.time()
        process.wait()
    code, said = project.run(*WORKFLOW)
    recovery = time.time() - when
    assert code == 0, said
    assert (project.results / "status.txt").exists()
    assert (project.results / "report.html").exists()
    twice = project.computed_twice()
    assert project.layers() == undisturbed
    assert not list(project.results.glob(".collect-*"))
    record("Snakemake killed at a random moment", 20, twice, recovery)


def test_two_sweeps_at_once(project, sweeping, undisturbed):
    second = project.start(*SWEEP)
    lines = iter(second.stdout.readline, "")
    assert any(f"waiting for process {sweeping.pid} on " in line for line in lines)
    project.go_on()
    code, said = ended(second)
    assert code == 0, said
    assert f"{CELLS} cells: {CELLS} were in the store, 0 computed" in said
    code, said = ended(sweeping)
    assert code == 0, said
    assert project.layers() == undisturbed
    record("two sweeps at once", 1, project.computed_twice(), 0.0)


def test_two_workflows_at_once(project, undisturbed):
    project.hold(CELLS // 2)
    first = project.start(*WORKFLOW, "results/cells.parquet")
    project.wait_for_cells(1)
    code, said = project.run(*WORKFLOW, "results/cells.parquet")
    assert code == 1
    assert f"winit: process {first.pid} on " in said
    assert "which fills results, is at work; wait for it, end it, or take another folder" in said
    project.go_on()
    code, said = ended(first)
    assert code == 0, said
    assert project.layers() == undisturbed
    record("two workflows at once", 1, project.computed_twice(), 0.0)


def test_torn_empty_and_foreign_files_in_the_store(project, sweeping, undisturbed):
    there = len(list(project.results.glob("parts/*.parquet")))
    project.hold(CELLS * 3 // 4)  # what finishes from now on reaches the store in another part
    project.wait_for_parts(there + 1)
    sweeping.kill()
    ended(sweeping)
    project.go_on()
    parts = sorted(project.results.glob("parts/*.parquet"))
    torn, flipped, *_ = parts
    content = torn.read_bytes()
    torn.write_bytes(content[: len(content) // 2])
    damaged = bytearray(flipped.read_bytes())
    damaged[len(damaged) // 3] ^= 1  # what the footer says is still there
    flipped.write_bytes(damaged)
    (project.results / "parts" / "empty.parquet").touch()
    pq.write_table(pq.read_table(project.results / "plan.parquet"), project.results / "parts/foreign.parquet")
    (project.results / "parts" / "notes.txt").write_text("not ours")
    when = time.time()
    code, said = project.run(*SWEEP)
    assert code == 0, said
    recovery = project.recovery(when)
    code, said = project.run("winit", "collect")  # it reads what the sweep only counted
    assert code == 1
    assert "are not in the store yet; run the sweep again" in said
    assert_goes_on(project, undisturbed)
    aside = {path.name for path in (project.results / "parts/set-aside").iterdir()}
    assert aside == {torn.name, flipped.name, "empty.parquet", "foreign.parquet"}
    assert (project.results / "parts" / "notes.txt").read_text() == "not ours"
    record("a torn, a damaged, an empty and a foreign file", 4, project.computed_twice(), recovery)


@pytest.fixture
def small_disk(project):
    """The results are on a disk of their own, of half a megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    plan = (project.results / "plan.parquet").read_bytes()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", project.results], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    (project.results / "plan.parquet").write_bytes(plan)
    yield project
    subprocess.run(["umount", project.results], check=True)


@contextmanager
def little_room(project, size):
    """Something large leaves so many bytes of the disk."""
    state = os.statvfs(project.results)
    ballast = project.results / "ballast"
    ballast.write_bytes(bytes(state.f_bavail * state.f_bsize - size))
    yield
    ballast.unlink()


def test_the_disk_is_full_in_the_store_and_in_collect(small_disk, undisturbed):
    project = small_disk
    with little_room(project, 60_000):
        process = project.start(*SWEEP)
        code, said = ended(process)
        when = time.time()
        assert code == 1
        last = said.splitlines()[-1]
        assert "No space left on device" in last
        assert "make room; what is finished is kept, the same command goes on" in last
        assert "Traceback" not in said
        store = Store(project.results / "parts")
        parts = [path.name for path in store.folder.glob("*.parquet")]
        assert parts
        assert all(store.verified(part) for part in parts)
        assert not list(store.folder.glob(".*"))
    assert_goes_on(project, undisturbed)
    record("the disk full in the store", 1, project.computed_twice(), project.recovery(when))
    kept = {path: path.read_bytes() for path in project.results.glob("layers/*")}
    with little_room(project, 20_000):
        code, said = project.run("winit", "collect")
        assert code == 1
        assert "No space left on device" in said
        assert "make room; what is finished is kept, the same command goes on" in said
        assert "Traceback" not in said
        assert kept == {path: path.read_bytes() for path in project.results.glob("layers/*")}
        assert not list(project.results.glob(".collect-*"))
    when = time.time()
    assert project.layers() == undisturbed
    record("the disk full in collect", 1, 0, time.time() - when)
