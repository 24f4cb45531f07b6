"""What is submitted to each batch system, and what is refused before anything is."""

import asyncio
import itertools
import os
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace

import distributed
import psutil
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from samples import TINY

from winit.cli import main
from winit.errors import WinitError
from winit.sweep.batch import JobKeeper
from winit.sweep.cluster import job_script_of
from winit.sweep.config import Config
from winit.sweep.machine import memory_limit, share_of_job
from winit.sweep.node import SHARE
from winit.sweep.problems import ConfigError
from winit.sweep.settings import BATCH_SYSTEMS, BatchSettings, seconds_of

BATCH = {
    "jobs": 3,
    "workers": 2,
    "memory": "3 GB",
    "walltime": "01:30:01",
    "partition": "long",
    "account": "lab",
    "interface": "ib0",
    "scratch": "/scratch/me",
    "prologue": ["module load python"],
}


def settings(kind, **batch):
    return Config.checked(TINY | {"cluster": {"kind": kind, "batch": BATCH | batch}}, "test").cluster


def script(kind, folder, **batch):
    """What would be submitted, line by line."""
    return job_script_of(settings(kind, **batch), folder).splitlines()


def command(lines):
    """The command that starts workers, word by word; HTCondor has it in one line with all before it."""
    (line,) = [line for line in lines if "winit.sweep.node" in line]
    return shlex.split(line.rpartition("; ")[2].rstrip("'\""))


def option(words, name):
    """The value of an option: the last one counts."""
    return words[len(words) - words[::-1].index(name)]


@pytest.mark.parametrize(
    ("kind", "directives"),
    [
        (
            "slurm",
            [
                "#SBATCH -J winit",
                "#SBATCH -p long",
                "#SBATCH -A lab",
                "#SBATCH -n 1",
                "#SBATCH --cpus-per-task=2",
                "#SBATCH --mem=3G",
                "#SBATCH -t 01:30:01",
                "#SBATCH --extra",
            ],
        ),
        (
            "pbs",
            [
                "#PBS -N winit",
                "#PBS -q long",
                "#PBS -A lab",
                "#PBS -l select=1:ncpus=2:mem=2862MB",
                "#PBS -l walltime=01:30:01",
                "#PBS --extra",
            ],
        ),
        (
            "sge",
            ["#$ -N winit", "#$ -q long", "#$ -P lab", "#$ -l h_rt=01:30:01", "#$ --extra"],
        ),
        (
            "lsf",
            [
                "#BSUB -J winit",
                "#BSUB -q long",
                '#BSUB -P "lab"',
                "#BSUB -n 2",
                '#BSUB -R "span[hosts=1]"',
                "#BSUB -M 3000000",
                "#BSUB -W 01:31",  # whole minutes, and no fewer
                "#BSUB --extra",
            ],
        ),
        (
            "htcondor",
            [
                "MY.DaskWorkerCores = 2",
                "MY.DaskWorkerMemory = 3000000000",
                "accounting_group = lab",
                "periodic_remove = (JobStatus == 2) && (time() - EnteredCurrentStatus > 5401)",
                "+Extra = 1",
            ],
        ),
    ],
)
def test_a_job_asks_for_what_the_config_says(tmp_path, kind, directives):
    lines = script(kind, tmp_path, directives=["+Extra = 1" if kind == "htcondor" else "--extra"])
    for directive in directives:
        assert directive in lines
    logs = str(tmp_path / "cluster")
    assert sum(logs in line for line in lines if "winit.sweep.node" not in line) >= 1


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
def test_workers_have_one_thread_speak_tls_alone_and_leave_in_time(tmp_path, kind):
    lines = script(kind, tmp_path)
    words = command(lines)
    assert words[1:3] == ["-m", "winit.sweep.node"]
    assert option(words, "--worker-class") == "winit.sweep.servers.Worker"
    assert option(words, "--nworkers") == "2"
    assert option(words, "--nthreads") == "1"
    assert option(words, "--interface") == "ib0"
    assert option(words, "--local-directory") == "/scratch/me"
    assert option(words, "--protocol") == "tls://"
    for name in ("--tls-ca-file", "--tls-cert", "--tls-key"):
        assert option(words, name).startswith(f"{tmp_path}/cluster/tls-")
    lifetime, stagger = (int(option(words, name)[:-1]) for name in ("--lifetime", "--lifetime-stagger"))
    assert lifetime + stagger < 5401
    text = "\n".join(lines)
    for line in (
        "export OMP_NUM_THREADS=1",
        "export OPENBLAS_NUM_THREADS=1",
        "export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=True",
        "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False",
        "export DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE=0.95",
        "module load python",
    ):
        assert line in text
        assert text.index(line) < text.index("winit.sweep.node")


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
def test_what_the_config_does_not_name_is_not_in_the_job(tmp_path, kind):
    text = "\n".join(
        script(kind, tmp_path, partition=None, account=None, interface=None, scratch=None, prologue=[])
    )
    for word in ("None", "long", "lab", "--interface", "module"):
        assert word not in text


def test_workers_share_the_memory_of_their_job_and_leave_some_to_their_nannies(tmp_path):
    limit = option(command(script("slurm", tmp_path, memory="4100 MB")), "--memory-limit")
    assert limit == "2000000000B"
    assert settings("slurm", memory="4100 MB").room(1).memory == 4e9


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
def test_a_job_asks_for_no_memory_where_the_config_says_null(tmp_path, kind):
    with_memory, without = script(kind, tmp_path), script(kind, tmp_path, memory=None)
    assert option(command(without), "--memory-limit") == SHARE
    asking = {
        "slurm": ["#SBATCH --mem=3G"],
        "pbs": ["#PBS -l select=1:ncpus=2:mem=2862MB"],
        "sge": [],
        "lsf": ["#BSUB -M 3000000"],
        "htcondor": [
            "RequestMemory = floor(MY.DaskWorkerMemory / 1048576)",
            "MY.DaskWorkerMemory = 3000000000",
        ],
    }[kind]
    left = ["#PBS -l select=1:ncpus=2"] if kind == "pbs" else []
    workers = [line for line in with_memory if "winit.sweep.node" in line]
    assert [line for line in with_memory if line not in without] == [
        line for line in with_memory if line in asking + workers
    ]
    assert [line for line in without if line not in with_memory and "winit.sweep.node" not in line] == left


def test_workers_of_a_job_that_asked_for_no_memory_have_their_shares(tmp_path):
    (tmp_path / "scratch").mkdir()
    quiet = {"n_workers": 0, "processes": False, "dashboard_address": None, "protocol": "tcp://"}
    with (
        distributed.LocalCluster(host="127.0.0.1", **quiet) as cluster,
        distributed.Client(cluster) as client,
    ):
        words = [sys.executable, "-m", "winit.sweep.node", cluster.scheduler_address]
        words += ["--memory-limit", "9GB", "--nworkers", "2", "--nthreads", "1", "--memory-limit", SHARE]
        words += ["--nanny", "--no-dashboard", "--local-directory", str(tmp_path / "scratch")]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as job:
            client.wait_for_workers(2, timeout=60)
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
            found = {worker["memory_limit"] for worker in workers}
            job.terminate()
    assert found == {int(share_of_job(2))}


def test_the_shares_of_a_job_are_no_more_than_it_may_use():
    total = psutil.virtual_memory().total
    for workers in (1, 2, 16, 1000):
        assert 0 < workers * share_of_job(workers) < memory_limit()
        assert share_of_job(workers) <= total / os.cpu_count()


def test_a_job_script_can_be_seen_before_it_is_submitted(tmp_path):
    config = tmp_path / "config.yaml"
    results = tmp_path / "results"
    config.write_text(yaml.safe_dump(TINY | {"results": str(results), "cluster": {"batch": BATCH}}))

    def shown(kind):
        return CliRunner().invoke(main, ["cluster", "--config", str(config), "--cluster", kind, "--show"])

    result = shown("pbs")
    assert result.exit_code == 0
    assert "#PBS -q long" in result.output
    assert not list(results.rglob("key"))
    for kind in ("local", "tls://127.0.0.1:8786"):
        result = shown(kind)
        assert result.exit_code == 1
        assert "submits no jobs; take --cluster slurm, pbs, sge, lsf or htcondor" in result.output


# To a shell, a batch system or Dask they would be more than a name; written here, they do nothing.
HOSTILE = [
    "a b",
    "x;y",
    "$(true)",
    "`true`",
    "a\nb",
    "a\r",
    "a&b",
    "a|b",
    "a>b",
    "'a",
    '"a"',
    "#a",
    "%a",
    "a*",
]
HOSTILE += ["-a", "--a=b", "~", "$a", "a\\b", "a\tb", "a\0", "ä", "", " a", "a ", "(a)", "{a}", "a" * 300]


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
@pytest.mark.parametrize("field", ["partition", "account", "interface", "scratch"])
def test_what_is_no_plain_name_is_refused_before_anything_starts(kind, field):
    plain = {"-a", "--a=b", "ä"} if field == "scratch" else set()  # behind the slash of a path
    for value in set(HOSTILE) - plain:
        with pytest.raises(
            ConfigError, match=f"cluster.batch.{field}: .* cannot stand in a job script; write"
        ):
            settings(kind, **{field: f"/{value}" if field == "scratch" and value else value})


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
@pytest.mark.parametrize("field", ["directives", "prologue"])
@pytest.mark.parametrize("value", ["a\nb", "a\r", "a\0b", "a\x1b[0m", "a\u2028b"])
def test_a_line_of_the_job_is_one_line(kind, field, value):
    with pytest.raises(ConfigError, match=rf"cluster.batch.{field}\[0\]: .* is more than a line"):
        settings(kind, **{field: [value]})


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
@pytest.mark.parametrize(
    "batch",
    [
        {"partition": "gpu,debug", "account": "lab/group.a-b+c_d:1@x"},
        {"interface": "bond0.100:1", "scratch": "/local/me@lab/a+b=c,d"},
        {"scratch": "$TMPDIR"},
        {"scratch": "$SLURM_TMPDIR/mine"},
    ],
)
def test_names_that_batch_systems_have_stand_in_the_job_as_they_are(tmp_path, kind, batch):
    lines = script(kind, tmp_path, **batch)
    words = command(lines)
    for field, name in (("interface", "--interface"), ("scratch", "--local-directory")):
        assert option(words, name) == (BATCH | batch)[field]
    assert "long" not in batch or batch["partition"] in "\n".join(lines)


def test_an_account_may_be_digits(tmp_path):
    assert "#SBATCH -A 012345" in script("slurm", tmp_path, account="012345")


@pytest.mark.parametrize("account", [5349, True, 1.5, ["a"]])
def test_an_account_is_no_other_thing(account):
    with pytest.raises(ConfigError, match=r"cluster.batch.account: .* not text"):
        settings("slurm", account=account)


def test_a_directive_of_htcondor_has_a_name_and_a_value(tmp_path):
    with pytest.raises(WinitError, match="'--extra' is no directive of HTCondor; write name = value"):
        script("htcondor", tmp_path, directives=["--extra"])


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
def test_a_python_in_a_folder_with_spaces_is_quoted(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("sys.executable", "/opt/my lab's/bin/python")
    (line,) = [line for line in script(kind, tmp_path) if "winit.sweep.node" in line]
    if kind == "htcondor":  # its quotation marks are doubled within the one argument of its shell
        line = line.partition("'")[2].rpartition("'")[0].replace("''", "'").replace('""', '"')
    assert shlex.split(line.rpartition("; ")[2])[0] == "/opt/my lab's/bin/python"


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
@pytest.mark.parametrize("path", ["/opt/a\nb/python", "/opt/$(true)/python"])
def test_a_python_that_no_quotation_marks_make_plain_is_refused(tmp_path, kind, path, monkeypatch):
    monkeypatch.setattr("sys.executable", path)
    with pytest.raises(WinitError, match="cannot stand in a job script; start winit from an environment"):
        script(kind, tmp_path)


@pytest.mark.parametrize("name", ["my results", "R&D", "it's", "$x", "run(2)", "50%", "a:b"])
@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
def test_a_folder_that_a_shell_would_take_apart_is_refused(tmp_path, kind, name):
    with pytest.raises(WinitError, match=f"{re.escape(name)}/cluster has spaces or signs"):
        script(kind, tmp_path / name)


@pytest.mark.parametrize(
    "walltime", ["1h", "60", "90:00", "00:00:10", "1:99:00", "1:00:60", "-1:00:00", "1-00:00:00", "٣:00:00"]
)
def test_walltimes_of_other_forms_are_refused_with_one_that_does(walltime):
    with pytest.raises(ConfigError, match="write hours:minutes:seconds, such as '12:00:00'"):
        settings("slurm", walltime=walltime)


@given(st.integers(60, 10**7))
def test_every_worker_leaves_before_its_job_ends_and_does_something_before(seconds):
    batch = BatchSettings(walltime=f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}")
    assert seconds_of(batch.walltime) == seconds
    lifetime, stagger = batch.lifetime
    assert stagger > 0
    assert seconds / 2 <= lifetime - stagger
    assert lifetime + stagger < seconds
    assert seconds - (lifetime + stagger) >= min(seconds / 10, 60)


class Job:
    """As the keeper knows one; ``say`` is what the batch system answers when it is asked."""

    worker_processes = 1
    refused = None

    def __init__(self, job_id, asked, say):
        self.job_id, self.asked, self.say, self.closed = job_id, asked, say, False

    async def call(self, command):
        self.asked.append(command)
        return self.say()

    async def close(self):
        self.closed = True


class Cluster:
    """As the keeper knows one: jobs 1 and 2 of a SLURM; of 2 there is a worker."""

    def __init__(self, say):
        self.asked = []
        self.jobs = [Job(str(i + 1), self.asked, say) for i in range(2)]
        self.workers = {f"winit-{job.job_id}": job for job in self.jobs}
        self.scheduler = SimpleNamespace(workers={})
        self.came("winit-2")

    def came(self, name):
        self.scheduler.workers[name] = SimpleNamespace(name=name)

    def sync(self, function):
        return asyncio.run(function())

    def scale(self, jobs):
        self.scaled = jobs


def refuse(words):
    raise RuntimeError(words)


def test_jobs_that_wait_are_asked_about_less_and_less_and_others_not_at_all(tmp_path):
    cluster = Cluster(lambda: "1\n")
    keeper = JobKeeper(cluster, "slurm", 2, tmp_path)
    pauses = [keeper.look() for _ in range(12)]
    assert pauses == sorted(pauses)
    assert 1 <= pauses[0] < pauses[-1] == 30
    assert len(cluster.asked) == 12
    assert all(command[0] == "squeue" and command[-1] == "1" for command in cluster.asked)
    cluster.came("winit-1")
    assert [keeper.look() for _ in range(3)] == [pauses[0]] * 3  # losses are noticed soon, by Dask
    assert len(cluster.asked) == 12


@pytest.mark.parametrize(
    ("say", "over"),
    [
        (lambda: "1\n", False),
        (lambda: "", True),
        (lambda: refuse("slurm_load_jobs error: Invalid job id specified"), True),
        (lambda: refuse("slurm_load_jobs error: Unable to contact slurm controller"), False),
    ],
)
def test_a_job_is_given_up_only_where_the_batch_system_knows_that_it_is_over(tmp_path, say, over):
    cluster = Cluster(say)
    JobKeeper(cluster, "slurm", 2, tmp_path).look()
    assert [job.closed for job in cluster.jobs] == [over, False]
    assert ("winit-1" not in cluster.workers) == over
    assert cluster.scaled == 2


def test_jobs_that_end_again_and_again_before_a_worker_comes_end_the_sweep(tmp_path):
    (tmp_path / "winit-1.err").write_text("starting\nno such module\n\n")
    keeper = JobKeeper(cluster := Cluster(lambda: ""), "slurm", 1, tmp_path)
    cluster.scheduler.workers.clear()
    del cluster.workers["winit-2"]
    for _ in range(2):
        keeper.look()
        cluster.workers["winit-1"] = cluster.jobs[0]
    with pytest.raises(WinitError, match=r"no worker came of 3 rounds of jobs: job 1 .*: no such module"):
        keeper.look()


def test_a_batch_system_that_is_away_for_some_minutes_does_not_end_a_sweep_that_had_workers(tmp_path):
    keeper = JobKeeper(cluster := Cluster(lambda: ""), "slurm", 1, tmp_path)
    del cluster.workers["winit-1"]
    keeper.look()
    cluster.scheduler.workers.clear()
    refused = Job(None, [], lambda: "")
    refused.refused = "Socket timed out"

    def looks():
        while True:
            cluster.workers["winit-2"] = refused
            yield keeper.look()

    pauses = looks()
    assert sum(itertools.islice(pauses, 9)) > 120
    with pytest.raises(WinitError, match=r"no worker came of 10 rounds of jobs: Socket timed out"):
        next(pauses)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "09:00 - distributed.nanny - INFO - Start\nKilled\n09:01 - distributed.nanny - INFO - End",
            "Killed",
        ),
        (
            "09:00 - distributed.nanny - INFO - Start\n09:01 - distributed.nanny - INFO - End worker",
            "did not reach",
        ),
    ],
)
def test_the_last_words_of_a_job_are_those_that_say_something(tmp_path, log, said):
    (tmp_path / "winit-1.err").write_text(log)
    (tmp_path / "winit-11.err").write_text("another job's")
    words = JobKeeper(Cluster(lambda: ""), "slurm", 1, tmp_path)._last_words("1")
    assert said in words
    assert "another" not in words
