"""Jobs of a batch system as workers: what is submitted, and that there are as many as are asked for."""

import importlib
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
from distributed.core import Status

from winit.errors import WinitError
from winit.sweep.certificates import certificate_files, in_files
from winit.sweep.machine import WORKER_MEMORY
from winit.sweep.node import SHARE
from winit.sweep.settings import BatchSettings, ClusterSettings, seconds_of

# A job whose workers cannot find the sweep ends after so many seconds.
_DEATH_TIMEOUT = 60
# A nanny starts its worker again within this; a job whose workers are all away for longer is lost.
_SECONDS_UNTIL_LOST = 30.0
# Batch systems do not like to be asked often: less and less while nothing changes.
_SECONDS_BETWEEN_LOOKS, _LONGEST_BETWEEN_LOOKS = 1.0, 30.0
# So many times in a row jobs may be refused, or end before a worker came, while there is none: few before the
# first one ever came; later the batch system may only be away for some minutes.
_VAIN_ROUNDS, _VAIN_ROUNDS_LATER = 3, 10
_UNASKED_BYTES = 10**9
_UNREACHED = "; its workers did not reach the sweep, as over a wrong network: see cluster.batch.interface"


@dataclass(frozen=True)
class System:
    """A batch system as dask_jobqueue knows it."""

    module: str
    job: str
    arguments: Callable[[BatchSettings], dict[str, Any]]
    """What is called differently from one system to the other."""
    alive: str | None = None
    """A command, to which ids are added, that prints those of jobs that wait or run. Without one, a job that
    ends before its workers came counts as one that waits."""
    unknown: str = ""
    """What the command complains about where it has forgotten all the jobs."""


def _slurm(batch: BatchSettings) -> dict[str, Any]:
    # Lost jobs are replaced here, at once: SLURM would have one wait for minutes.
    return {
        "queue": batch.partition,
        "account": batch.account,
        "walltime": batch.walltime,
        "job_extra_directives": ["--no-requeue", *batch.directives],
    } | _memory_unasked(batch, "#SBATCH --mem=")


def _pbs(batch: BatchSettings) -> dict[str, Any]:
    # One line asks for all resources, the memory among them.
    cores = {"resource_spec": f"select=1:ncpus={batch.workers}"} if batch.memory is None else {}
    return {"queue": batch.partition, "account": batch.account, "walltime": batch.walltime} | cores


def _sge(batch: BatchSettings) -> dict[str, Any]:
    # No memory is asked for in any case: each site has a name of its own for it.
    return {"queue": batch.partition, "project": batch.account, "walltime": batch.walltime}


def _lsf(batch: BatchSettings) -> dict[str, Any]:
    minutes = -(-seconds_of(batch.walltime) // 60)
    walltime = {"walltime": f"{minutes // 60:02d}:{minutes % 60:02d}"}
    return _sge(batch) | walltime | _memory_unasked(batch, "#BSUB -M ")


def _htcondor(batch: BatchSettings) -> dict[str, Any]:
    # There is no walltime: a job that runs for longer is removed by a rule.
    over = f"(JobStatus == 2) && (time() - EnteredCurrentStatus > {seconds_of(batch.walltime)})"
    described = {"periodic_remove": over}
    if batch.account:
        described["accounting_group"] = batch.account
    for name, equals, value in (line.partition("=") for line in batch.directives):
        if not (name.strip() and equals):
            raise WinitError(f"{name!r} is no directive of HTCondor; write name = value")
        described[name.strip()] = value.strip()
    unasked = _memory_unasked(batch, "RequestMemory", "MY.DaskWorkerMemory")
    return {"disk": "1 GB", "job_extra_directives": described} | unasked


def _memory_unasked(batch: BatchSettings, *directives: str) -> dict[str, Any]:
    """``directives``, which ask for memory, left out where the config asks for none."""
    return {"job_directives_skip": directives} if batch.memory is None else {}


_SYSTEMS = {
    "slurm": System(
        "slurm",
        "SLURMJob",
        _slurm,
        "squeue --noheader --format %A --states PENDING,CONFIGURING,RUNNING,SUSPENDED --jobs",
        "Invalid job id",
    ),
    "pbs": System("pbs", "PBSJob", _pbs),
    "sge": System("sge", "SGEJob", _sge),
    "lsf": System("lsf", "LSFJob", _lsf),
    "htcondor": System("htcondor", "HTCondorJob", _htcondor),
}


def job_script(settings: ClusterSettings, folder: Path, environment: Mapping[str, str]) -> str:
    """The job that would be submitted. ``folder`` is where its logs and certificates would be."""
    job_class = _job_class(_SYSTEMS[settings.kind])
    security = in_files(folder.resolve() / "tls-…")
    options = _job_options(settings, security, folder, environment)
    return str(job_class("tls://…:…", name="winit-0", **options).job_script())


@contextmanager
def batch_cluster(
    settings: ClusterSettings, folder: Path, scheduler: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[distributed.SpecCluster]:
    """A scheduler here and its workers in jobs; none is submitted before ``JobKeeper`` looks.

    ``scheduler`` is the class and the options of the scheduler, ``environment`` what workers find in theirs.
    """
    from dask_jobqueue.core import JobQueueCluster

    with certificate_files(folder) as security:
        options = _job_options(settings, security, folder, environment)
        try:
            cluster = JobQueueCluster(
                job_cls=_job_class(_SYSTEMS[settings.kind]),
                name="winit",
                scheduler_cls=scheduler["cls"],
                scheduler_options=scheduler["options"],
                silence_logs="critical",
                **options,
            )
        except RuntimeError as error:  # an interface that there is not, say
            raise WinitError(f"the scheduler does not start: {error.__cause__ or error}") from error
        with cluster:
            yield cluster


def _job_options(
    settings: ClusterSettings, security: distributed.Security, folder: Path, environment: Mapping[str, str]
) -> dict[str, Any]:
    batch = settings.batch
    lifetime, stagger = batch.lifetime
    memory = batch.memory_for_workers
    settings_there = WORKER_MEMORY | {"distributed.comm.require-encryption": True}
    exported = dict(environment) | {_variable(name): str(value) for name, value in settings_there.items()}
    logs = str(folder.resolve())
    if not re.fullmatch(r"[\w@+=,./-]+", logs):
        raise WinitError(
            f"{logs} has spaces or signs that mean something to a shell, which job scripts cannot have; take"
            " another results folder"
        )
    # HTCondor would take a dollar for one of its own variables, whatever quotation marks are around it.
    if not sys.executable.isprintable() or "$" in sys.executable:
        raise WinitError(
            f"{sys.executable!r} cannot stand in a job script; start winit from an environment in another"
            " folder"
        )
    return {
        "job_name": "winit",
        "protocol": "tls://",
        "security": security,
        "interface": batch.interface,
        "python": shlex.quote(sys.executable),
        "cores": batch.workers,
        "processes": batch.workers,
        # It wants some in any case; where the job asks for none, nothing becomes of it.
        "memory": f"{int(batch.memory or _UNASKED_BYTES)} B",
        # A variable of the node is still to be replaced there; nothing else in it means anything to a shell.
        "local_directory": batch.scratch and f'"{batch.scratch}"',
        "log_directory": logs,
        "death_timeout": _DEATH_TIMEOUT,
        "worker_command": "winit.sweep.node",
        "worker_extra_args": [
            *("--nworkers", str(batch.workers), "--nanny"),
            *("--worker-class", "winit.sweep.servers.Worker"),
            # The last one counts: dask_jobqueue gives workers all that the job has.
            *("--memory-limit", SHARE if memory is None else f"{int(memory / batch.workers)}B"),
            *("--lifetime", f"{lifetime}s", "--lifetime-stagger", f"{stagger}s"),
        ],
        "job_script_prologue": [f"export {name}={value}" for name, value in exported.items()]
        + batch.prologue,
        "job_extra_directives": batch.directives,
    } | _SYSTEMS[settings.kind].arguments(batch)


def _variable(setting: str) -> str:
    """The environment variable of one of Dask's settings."""
    return "DASK_" + setting.replace(".", "__").replace("-", "_").upper()


def _job_class(system: System) -> Any:
    """The job of dask_jobqueue, which keeps what went wrong when it was submitted.

    Raised there, nobody would see it.
    """
    base = getattr(importlib.import_module(f"dask_jobqueue.{system.module}"), system.job)

    class Job(base):  # type: ignore[misc, valid-type]
        refused: str | None = None

        async def start(self) -> None:
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                self.refused = _in_a_line(error)
                self.status = Status.running

        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

        async def call(self, command: list[str]) -> str:
            return await self._call(command)

    return Job


async def _alive(system: System, jobs: Iterable[Any]) -> set[str]:
    """The ids of those jobs that the batch system is not through with; all, where it does not say."""
    submitted = [job for job in jobs if job.refused is None]
    ids = {job.job_id for job in submitted}
    if system.alive is None or not ids:
        return ids
    command = [*shlex.split(system.alive), ",".join(sorted(ids))]
    try:
        return set((await submitted[0].call(command)).split())
    except RuntimeError as error:  # as while the batch system restarts
        return set() if system.unknown in str(error) else ids


def _in_a_line(error: Exception) -> str:
    """What a command of the batch system complained about."""
    if isinstance(error, FileNotFoundError):
        return f"there is no command {error.filename} on this machine"
    _, _, complaint = str(error).partition("stderr:\n")
    return " ".join((complaint or str(error)).split())


class JobKeeper:
    """Keeps ``count`` jobs in the queue or at work, whatever becomes of them.

    Jobs end at their walltime, with their node, or by somebody's hand, and no batch system replaces them.
    """

    def __init__(self, cluster: distributed.SpecCluster, kind: str, count: int, logs: Path) -> None:
        self._cluster = cluster
        self._system = _SYSTEMS[kind]
        self._count = count
        self._logs = logs
        self._missing_since: dict[Any, float] = {}
        self._connected: set[Any] = set()
        self._vain_rounds, self._patience = 0, _VAIN_ROUNDS
        self._pause = _SECONDS_BETWEEN_LOOKS

    def look(self) -> float:
        """Replace the jobs that are lost. Returns in how many seconds to look again.

        Raises WinitError where jobs end again and again before a worker comes.
        """
        before = set(self._connected)
        vain = self._cluster.sync(self._forget_lost)
        if self._connected:
            self._vain_rounds, self._patience = 0, _VAIN_ROUNDS_LATER
        elif vain:
            self._vain_rounds += 1
            if self._vain_rounds >= self._patience:
                raise WinitError(f"no worker came of {self._vain_rounds} rounds of jobs: {vain[-1]}")
        self._cluster.scale(jobs=self._count)  # type: ignore[call-arg] # of JobQueueCluster
        # Only for jobs without workers is the batch system asked.
        waiting = self._missing_since and before == self._connected
        grown = self._pause * (2.0 if vain else 1.5 if waiting else 0.0)
        self._pause = min(max(grown, _SECONDS_BETWEEN_LOOKS), _LONGEST_BETWEEN_LOOKS)
        return self._pause

    async def _forget_lost(self) -> list[str]:
        """Forget jobs that are over. Returns what is known of those that ended before a worker came."""
        cluster: Any = self._cluster
        names = {worker.name for worker in cluster.scheduler.workers.values()}
        jobs = {job: name for name, job in cluster.workers.items()}
        there = {
            job
            for job, name in jobs.items()
            if name in names or any(f"{name}-{i}" in names for i in range(job.worker_processes))
        }
        self._connected = there | (self._connected & jobs.keys())
        now = time.monotonic()
        self._missing_since = {job: self._missing_since.get(job, now) for job in jobs if job not in there}
        alive = await _alive(self._system, self._missing_since)
        vain = []
        for job, since in list(self._missing_since.items()):
            came = job in self._connected
            if job.job_id not in alive or (came and now - since > _SECONDS_UNTIL_LOST):
                await job.close()
                if cluster.workers.get(jobs[job]) is job:
                    del cluster.workers[jobs[job]]
                del self._missing_since[job]
                self._connected.discard(job)
                if not came:
                    vain.append(job.refused or self._last_words(job.job_id))
        return vain

    def _last_words(self, job_id: str) -> str:
        """The end of the logs of a job."""
        whole = re.compile(rf"(?<!\d){re.escape(job_id)}(?!\d)")
        logs = [path for path in sorted(self._logs.iterdir()) if path.is_file() and whole.search(path.name)]
        text = "\n".join(log.read_text(encoding="utf-8", errors="replace") for log in logs)
        complaints = [line.strip() for line in text.splitlines() if line.strip() and " - INFO - " not in line]
        said = f"; it said last: {complaints[-1]}" if complaints else _UNREACHED if text else ""
        return f"job {job_id} ended before its workers came{said} (logs are in {self._logs})"
