"""A real SLURM: jobs as workers, jobs as steps, and whatever may happen to a job."""

import re
import shutil
import signal
import stat
import time

import pytest
import yaml
from slurm import PARTITION
from support import CELLS, Project, errors_in, record, wait_until

BATCH = {
    "jobs": 2,
    "workers": 1,
    "memory": "600 MB",
    "walltime": "00:10:00",
    "interface": "lo",
    "partition": PARTITION,
}
SWEEP = ("winit", "sweep", "--cluster", "slurm")


@pytest.fixture(autouse=True)
def no_job_is_left(slurm):
    """No test begins with another's jobs."""
    yield
    slurm.cancel_all()


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """The results folder of a project that was planned, which does not depend on where it computes."""
    project = Project(tmp_path_factory.mktemp("planned"))
    project.plan()
    return project.results


@pytest.fixture
def project(tmp_path, slurm, planned):
    """Makes a project whose sweep is in jobs; the arguments change what jobs are like."""

    def make(**batch):
        project = Project(tmp_path, cluster={"batch": BATCH | batch})
        project.environment["PATH"] = f"{slurm.folder / 'bin'}:{project.environment['PATH']}"
        shutil.copytree(planned, project.results)
        return project

    return make


def sweeping(project, *, cells=10):
    """A sweep in jobs, some cells of which were begun; the others are held."""
    project.hold(cells)
    process = project.start(*SWEEP)
    project.wait_for_cells(cells + 1)
    return process


def finished(project, process, timeout=120):
    """What a sweep said that ended well, once nothing held it."""
    project.go_on()
    said, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, said
    return said


def keys(project):
    return list((project.results / "cluster").glob("tls-*"))


def test_a_sweep_in_jobs_has_the_same_bits_and_leaves_nothing_behind(project, slurm, undisturbed):
    project = project()
    process = sweeping(project)
    assert len(slurm.jobs()) == 2
    (folder,) = keys(project)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    said = finished(project, process)
    assert f"{CELLS} computed" in said
    assert "0 failed" in said
    assert slurm.jobs() == []
    assert keys(project) == []
    assert project.computed_twice() == 0
    assert project.layers() == undisturbed


def test_jobs_that_ask_for_no_memory_have_workers_with_a_share_of_the_node(project, slurm, undisturbed):
    project = project(memory=None)
    said = finished(project, sweeping(project))
    assert f"{CELLS} computed" in said
    assert "0 failed" in said
    assert project.layers() == undisturbed


# There is no accounting here, and jobs of seconds need not be left alone for the first forty of them.
HERE = {
    "slurm-no-account": True,
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 2,
    "seconds-between-status-checks": 2,
    "latency-wait": 10,
}


def test_steps_as_jobs_by_the_profile_once_it_is_filled_in_have_the_same_bits(project, undisturbed):
    project = project()
    shutil.rmtree(project.results)  # planning is one of the steps
    path = project.folder / "profiles/slurm/config.yaml"
    profile = yaml.safe_load(path.read_text())
    told = dict(item.split("=", 1) for item in profile["default-resources"])
    assert told["slurm_account"] == "project"
    told |= {"slurm_partition": PARTITION, "mem_mb": "1500"}
    profile["default-resources"] = [f"{name}={value}" for name, value in told.items()]
    profile["set-scatter"] = ["shards=3"]
    profile["set-threads"] = [item.replace("=16", "=2") for item in profile["set-threads"]]
    profile["set-resources"] = [re.sub("mem_mb=.*", "mem_mb=1500", item) for item in profile["set-resources"]]
    path.write_text(yaml.safe_dump(profile | HERE))
    code, said = project.run("snakemake", "--profile", "profiles/slurm", "results/cells.parquet", timeout=180)
    logs = "".join(path.read_text() for path in project.folder.glob(".snakemake/slurm_logs/**/*.log"))
    assert code == 0, said + logs
    assert len(list(project.results.glob("shards/*-of-3.json"))) == 3
    assert project.computed_twice() == 0
    assert project.layers() == undisturbed


def test_a_job_that_is_cancelled_is_replaced(project, slurm, undisturbed):
    project = project(jobs=1)
    process = sweeping(project)
    lost = []
    for begun in (15, 40):
        project.hold(begun)
        project.wait_for_cells(begun + 1)
        lost.append(time.time())
        slurm.say("scancel", *map(str, slurm.jobs()))
    finished(project, process)
    assert project.layers() == undisturbed
    record("a SLURM job cancelled (scancel)", len(lost), project.computed_twice(), project.recovery(lost[-1]))


def test_a_node_that_is_lost_takes_nothing_along(project, slurm, undisturbed):
    project = project(jobs=1)
    process = sweeping(project)
    (node,) = slurm.nodes_of(*slurm.jobs())
    lost = time.time()
    slurm.say("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    finished(project, process)
    wait_until(lambda: slurm.nodes()[node] == "idle", 60)  # it reports, and is taken back
    assert project.layers() == undisturbed
    record("a SLURM node down", 1, project.computed_twice(), project.recovery(lost))


def test_a_sweep_outlives_the_walltime_of_its_jobs(project, slurm, undisturbed):
    project = project(jobs=1, walltime="00:01:00")
    project.environment["WINIT_TEST_SECONDS"] = "0.7"
    process = sweeping(project)
    (first,) = slurm.jobs()
    finished(project, process)
    pids = [process for process, _, _ in project.lines()]
    assert len(set(pids)) >= 2
    changed = next(i for i, pid in enumerate(pids) if pid != pids[0])
    left = project.lines()[changed - 1][2]
    assert "TIME LIMIT" not in (project.results / f"cluster/winit-{first}.err").read_text()
    twice = project.computed_twice()
    assert twice <= 4  # what was begun, and what had not been fetched
    assert project.layers() == undisturbed
    record("a SLURM job's walltime over", 1, twice, project.lines()[changed][2] - left)


def test_a_controller_that_restarts_disturbs_no_job(project, slurm, undisturbed):
    project = project()
    project.environment["WINIT_TEST_SECONDS"] = "0.3"  # it is away for some seconds
    process = sweeping(project)
    jobs = slurm.jobs()
    slurm.controller.terminate()
    slurm.controller.wait(30)
    slurm.start_controller()
    wait_until(slurm.nodes, 30)
    assert slurm.jobs() == jobs
    finished(project, process)
    assert project.computed_twice() == 0
    assert project.layers() == undisturbed


def test_a_cell_that_takes_all_memory_ends_its_worker_and_not_the_job(project, slurm, undisturbed):
    project = project(jobs=1, workers=2, memory="1200 MB")
    tries, seconds = fails_alone(project)
    assert len(logs_of_jobs(project)) == 1
    assert project.layers() == undisturbed
    record("a cell out of memory in a SLURM job", tries, project.computed_twice(), seconds)


def test_a_cell_for_which_slurm_ends_its_job_fails_alone(project, slurm, undisturbed):
    # Workers think that they have far more than SLURM gives: nannies look more often than it does.
    project = project(memory="4 GB", directives=["--mem=600M"], prologue=["ulimit -m unlimited"])
    tries, seconds = fails_alone(project)
    assert any("Exceeded job memory limit" in log.read_text() for log in logs_of_jobs(project))
    assert project.layers() == undisturbed
    record("a SLURM job out of memory", tries, project.computed_twice(), seconds)


def fails_alone(project):
    """A sweep with a cell that eats memory, then one without. Returns how often that was begun, and within
    how many seconds.
    """
    weight = poison(project, seed=17)
    code, said = project.run(*SWEEP, timeout=200)
    assert code == 0, said  # the workflow's last step, `winit status`, is what fails
    assert f"{CELLS - 1} computed" in said
    assert "1 failed" in said
    assert re.search("  failed: [0-9a-f]+: its worker died again and again", said)
    tries = [when for _, cell, when in project.lines() if cell == weight]
    code, status = project.run("winit", "status")
    assert code == 1
    assert "1 cells failed" in status
    assert "its worker died again and again" in status
    project.log.with_name("cells.log.hungry").unlink()
    logs = logs_of_jobs(project)
    code, said = project.run("winit", "sweep", "--threads", "1")
    assert code == 0, said
    assert "1 computed" in said
    assert logs_of_jobs(project) == logs
    return len(tries), tries[-1] - tries[0]


def logs_of_jobs(project):
    return sorted((project.results / "cluster").glob("winit-*.err"))


def poison(project, *, seed):
    """Make the cell of a seed eat memory. Returns what stands for it in the log."""
    log = project.environment["WINIT_TEST_LOG"]
    project.environment["WINIT_TEST_LOG"] = f"{log}.of-one"
    network = ("counting.py:counted", "tanh", "--depth", "3", "--width", "64", "--seed", str(seed))
    code, said = project.run("winit", "simulate", *network)
    assert code == 0, said
    project.environment["WINIT_TEST_LOG"] = log
    weight = project.log.with_name("cells.log.of-one").read_text().split()[1]
    (number,) = re.findall(r"-?\d+\.\d+(?:e-?\d+)?", weight)
    project.log.with_name("cells.log.hungry").write_text(number)
    return weight


def test_a_sweep_that_the_batch_system_ends_goes_on(project, slurm, undisturbed):
    project = project()
    project.hold(CELLS // 2)
    job = project.folder / "job.sh"
    job.write_text("#!/bin/sh\nexec winit sweep --threads 2\n")
    submitted = ("--parsable", "--cpus-per-task=2", "--mem=1500M", "--output=job.out")
    code, number = project.run("sbatch", *submitted, str(job))
    assert code == 0, number
    project.wait_for_parts()
    told = time.time()
    slurm.say("scancel", number.strip())
    wait_until(lambda: not slurm.jobs(), 30)
    assert "what is finished is kept" in (project.folder / "job.out").read_text()
    project.go_on()
    code, said = project.run("winit", "sweep", "--threads", "2")
    assert code == 0, said
    assert f"{CELLS} cells: 0 were" not in said
    assert project.layers() == undisturbed
    record("a sweep ended by SLURM (SIGTERM)", 1, project.computed_twice(), project.recovery(told))


def test_a_sweep_that_is_killed_leaves_jobs_and_a_key_that_go_away(project, slurm, undisturbed):
    project = project()
    process = sweeping(project, cells=20)
    abandoned, (forgotten,) = slurm.jobs(), keys(project)
    killed = time.time()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert forgotten.exists()
    process = project.start(*SWEEP)
    wait_until(lambda: keys(project) and forgotten not in keys(project))
    finished(project, process)
    assert keys(project) == []
    assert project.layers() == undisturbed
    wait_until(lambda: not set(abandoned) & set(slurm.jobs()), 90)
    record("a sweep in SLURM jobs killed (SIGKILL)", 1, project.computed_twice(), project.recovery(killed))


def test_what_the_batch_system_refuses_is_told_in_its_own_words(project):
    project = project(partition="tset")
    code, said = project.run(*SWEEP, timeout=60)
    assert code == 1
    (line,) = errors_in(said)
    assert "sbatch: error: invalid partition specified: tset" in line
    assert "Traceback" not in said


def test_jobs_whose_workers_cannot_start_end_the_sweep_with_their_last_words(project, slurm):
    project = project(prologue=["echo no such module: pythno >&2", "exit 3"])
    code, said = project.run(*SWEEP, timeout=60)
    assert code == 1
    (line,) = errors_in(said)
    assert "no such module: pythno" in line
    assert "(logs are in results/cluster)" in line
    assert "Traceback" not in said
    assert slurm.jobs() == []
