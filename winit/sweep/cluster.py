"""Where the sweep computes: the only place that knows which kind of cluster it is."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Self

import dask
import distributed
from dask.utils import format_bytes, parse_timedelta
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError, connect
from distributed.core import Status
from distributed.scheduler import KilledWorker
from distributed.utils import LoopRunner, silence_logging_cmgr
from rich.table import Table

from winit.errors import WinitError
from winit.sweep.batch import JobKeeper, batch_cluster, job_script
from winit.sweep.machine import (
    KEPT_BYTES,
    THREAD_VARIABLES,
    USABLE,
    WORKER_MEMORY,
    available_cores,
    memory_limit,
)
from winit.sweep.scratch import private_folder
from winit.sweep.servers import Scheduler, Watchful, Worker
from winit.sweep.settings import BATCH_SYSTEMS, ClusterSettings, TlsSettings
from winit.sweep.standstill import Standstill
from winit.sweep.tasks import fitness

# A layer's arrays are some megabytes: let the C library keep them for the next layer, instead of handing
# them back to the system and having every page zeroed again. (glibc's names; others ignore them.)
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES)}
WORKER_ENVIRONMENT = dict.fromkeys(THREAD_VARIABLES, "1") | _KEEP_MEMORY
_DASK_SETTINGS = WORKER_MEMORY | {
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
    # A task whose worker died is given back: the engine finds the cell whose fault it was.
    "distributed.scheduler.allowed-failures": 0,
    # After so long without it, a worker on this machine counts as lost.
    "distributed.deploy.lost-worker-timeout": "10s",
}
_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_TO_START_HERE = 120.0
# What a worker is asked that hangs is not waited for when all is done.
_SECONDS_TO_STOP = 10.0
_DASHBOARD = "127.0.0.1:8787"


class LostClusterError(WinitError):
    """The scheduler is gone, or does not answer."""


@contextmanager
def open_cluster(
    settings: ClusterSettings, workers: int | None = None, folder: Path = Path("results")
) -> Iterator[distributed.Client]:
    """A Dask client of a cluster with workers of one thread each; there is at least one when it is yielded.

    ``workers`` is how many are of use, by default all that there may be. The logs of jobs, and certificates
    while they are needed, are in ``folder``/cluster.

    Raises WinitError where no worker comes or where they cannot do the work, and LostClusterError, in the
    body too, where the scheduler goes away.
    """
    deadline = _Deadline.of(settings)
    hang = {"distributed.scheduler.worker-ttl": f"{settings.hang_seconds:g}s"}
    with (
        private_folder() as scratch,
        dask.config.set(_DASK_SETTINGS | hang | {"temporary-directory": str(scratch)}),
        _KINDS[settings.kind](settings, workers, folder / "cluster") as opened,
        _client(opened, deadline) as client,
        _Keeper(client, opened.look, Standstill(client).look) as keeper,
    ):
        if settings.dashboard and not isinstance(opened.scheduler, str):
            print(f"dashboard: {opened.scheduler.dashboard_link}", file=sys.stderr)  # noqa: T201
        try:
            _wait_for(opened.together, client, deadline)
            _check(client)
            yield client
        except Exception as error:
            if keeper.error:  # it closed the client, which shows in many ways
                raise keeper.error from error
            if isinstance(error, CommClosedError | FutureCancelledError):
                raise LostClusterError(
                    "the connection to the cluster is lost; what is finished is kept, the same command goes"
                    " on"
                ) from error
            raise


def job_script_of(settings: ClusterSettings, folder: Path) -> str:
    """What would be submitted. Raises WinitError where nothing would."""
    if settings.kind not in BATCH_SYSTEMS:
        raise WinitError(
            f"kind {settings.kind} submits no jobs; take --cluster {', '.join(BATCH_SYSTEMS[:-1])} or"
            f" {BATCH_SYSTEMS[-1]}"
        )
    return job_script(settings, folder / "cluster", WORKER_ENVIRONMENT)


def least_memory(client: distributed.Client) -> float | None:
    """Bytes of the smallest worker's memory; None where no worker that is there has a limit.

    Where its nanny ends it sooner than those of ours would, it counts as smaller.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    # Dask takes answers for those of other workers where some that are asked have no nanny.
    watched = [address for address, worker in workers.items() if worker["nanny"]]
    ends = client.run(_ends_at, workers=watched, nanny=True, on_error="ignore") if watched else {}
    return min(
        (
            worker["memory_limit"] * min(ends.get(address) or USABLE, USABLE) / USABLE
            for address, worker in workers.items()
            if worker["memory_limit"]
        ),
        default=None,
    )


def _ends_at(dask_worker: Any) -> float:
    """The share of its memory at which a nanny (Dask gives it as ``dask_worker``) ends a worker; 0: none."""
    return float(dask_worker.memory_manager.memory_terminate_fraction)


def table_of_workers(client: distributed.Client) -> Table:
    """The workers that are there, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for name in ("worker", "host", "memory", "versions"):
        table.add_column(name)
    found = client.run(fitness, on_error="ignore")
    for address, worker in sorted(client.scheduler_info(n_workers=-1)["workers"].items()):
        versions = found[address].versions if address in found else "does not answer"
        memory = format_bytes(worker["memory_limit"]) if worker["memory_limit"] else "no limit"
        table.add_row(str(worker["name"]), worker["host"], memory, versions)
    return table


@dataclass(frozen=True)
class _Opened:
    """A cluster: what a client connects to, and how it is kept as it should be."""

    scheduler: distributed.SpecCluster | str
    look: Callable[[], float] | None = None
    """Mends what is broken; returns in how many seconds it is to be called again."""
    security: distributed.Security | None = None
    together: int = 1
    """Workers that come at the same time; of others the first is enough to begin."""


@contextmanager
def _local(settings: ClusterSettings, workers: int | None, folder: Path) -> Iterator[_Opened]:
    """Processes on this machine that end with this one.

    Everything listens on loopback alone and speaks TLS, with a certificate that lives in memory and ends
    with the cluster.
    """
    del folder
    count = workers or available_cores()
    security = distributed.Security.temporary()
    here = {"host": "127.0.0.1", "protocol": "tls://", "security": security}
    nannies = weakref.WeakSet[distributed.Nanny]()

    def started(*args: Any, **options: Any) -> distributed.Nanny:
        made = distributed.Nanny(*args, **options)
        nannies.add(made)
        return made

    nanny = {
        "cls": started,
        "options": here
        | {
            "nthreads": 1,
            "memory_limit": int(memory_limit() / count),
            "worker_class": Worker,
            "silence_logs": logging.CRITICAL,  # what a task raises is recorded with its cell
        },
    }
    scheduler = _scheduler(settings)
    scheduler["options"] |= here
    with distributed.SpecCluster(
        worker=nanny,
        scheduler=scheduler,
        security=security,
        silence_logs=logging.CRITICAL,
        name="winit",
    ) as cluster:
        cluster.sync(_keep_interrupts)

        def look() -> float:
            # A nanny starts its worker again when that dies, but not when it dies while it starts.
            cluster.scale(count)
            return _SECONDS_BETWEEN_LOOKS

        try:
            yield _Opened(cluster, look, together=count)
        finally:
            # The cluster would wait until they are up, only to end them.
            for young in nannies:
                if young.status in {Status.init, Status.starting} and young.pid:
                    os.kill(young.pid, signal.SIGKILL)


async def _keep_interrupts() -> None:
    """Ctrl-C on a terminal, and its closing, go to all processes of a job, but are meant for this one.

    It ends its workers; what is started from this thread inherits that it does not hear them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # first, since the tracker is to inherit it
    resource_tracker.ensure_running()  # it would undo what follows, were it started later
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def _batch(settings: ClusterSettings, workers: int | None, folder: Path) -> Iterator[_Opened]:
    """A scheduler in this process, and its workers in jobs of a batch system."""
    batch = settings.batch
    jobs = min(batch.jobs, -(-workers // batch.workers)) if workers else batch.jobs
    with batch_cluster(settings, folder, _scheduler(settings), WORKER_ENVIRONMENT) as cluster:
        yield _Opened(cluster, JobKeeper(cluster, settings.kind, jobs, folder).look)


@contextmanager
def _address(settings: ClusterSettings, workers: int | None, folder: Path) -> Iterator[_Opened]:
    """A cluster of the user's own; how many workers it has is their business."""
    del workers, folder
    assert settings.address is not None, "the settings are checked"
    with silence_logging_cmgr(logging.CRITICAL):  # a lost scheduler is told in a line, not in a traceback
        yield _Opened(settings.address, security=_security(settings.address, settings.tls))


def _security(address: str, tls: TlsSettings) -> distributed.Security:
    """Our certificates for a cluster of the user's own. Raises WinitError where they are of no use."""
    if address.startswith("tcp://"):
        return distributed.Security()
    given = {"tls_ca_file": tls.ca, "tls_client_cert": tls.certificate, "tls_client_key": tls.key}
    found = {name: path for name, path in given.items() if path}
    try:
        for path in found.values():
            Path(path).open("rb").close()  # the TLS library does not say which file is missing
        security = distributed.Security(require_encryption=True, **found)
        context = security.get_connection_args("client")["ssl_context"]
    except OSError as error:
        raise WinitError(f"the certificates for {address} cannot be used: {error}") from None
    if context is None:
        raise WinitError(
            f"{address} needs certificates; name the files in the config as cluster.tls: {{ca: …,"
            " certificate: …, key: …}, or in Dask's own as distributed.comm.tls"
        )
    return security


_KINDS: dict[str, Callable[[ClusterSettings, int | None, Path], AbstractContextManager[_Opened]]] = {
    "local": _local,
    **dict.fromkeys(BATCH_SYSTEMS, _batch),
    "address": _address,
}


def _scheduler(settings: ClusterSettings) -> dict[str, Any]:
    """Class and options of a scheduler of ours."""
    if not settings.dashboard:
        return {"cls": Scheduler, "options": {"port": 0}}
    try:
        import bokeh  # noqa: F401 - only to see whether it is there
    except ImportError:
        raise WinitError("the dashboard needs bokeh: pip install bokeh, or dashboard: false") from None
    return {"cls": Watchful, "options": {"port": 0, "dashboard_address": _DASHBOARD}}


@dataclass(frozen=True)
class _Deadline:
    """Until when the first workers are waited for: one time for all that has to happen before."""

    seconds: float | None
    """as the config has them; None: for ever"""
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, settings: ClusterSettings) -> Self:
        """Of a cluster that is opened now."""
        return cls(settings.start_seconds or (_SECONDS_TO_START_HERE if settings.kind == "local" else None))

    def left(self) -> float | None:
        """Seconds that are left, never 0, which Dask takes for no end; None: there is none."""
        if self.seconds is None:
            return None
        return max(self.began + self.seconds - time.monotonic(), 0.01)


async def _answers(address: str, security: distributed.Security | None, seconds: float) -> None:
    """Raise OSError where no scheduler answers within ``seconds``.

    A client's own bound holds for the connection: for the first word of the other side it waits for ever.
    """
    there = security.get_connection_args("client") if security else {}
    try:
        comm = await asyncio.wait_for(connect(address, timeout=seconds, **there), seconds)
    except TimeoutError:
        raise OSError(f"it said nothing within {seconds:.3g} s") from None
    comm.abort()


@contextmanager
def _client(opened: _Opened, deadline: _Deadline) -> Iterator[distributed.Client]:
    # Results come straight from the workers, except where these may be on a network of their own.
    direct = not isinstance(opened.scheduler, str)
    try:
        if isinstance(opened.scheduler, str):
            most = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
            seconds = min(deadline.left() or most, most)
            LoopRunner().run_sync(_answers, opened.scheduler, opened.security, seconds)
        client = distributed.Client(
            opened.scheduler, security=opened.security, set_as_default=False, direct_to_workers=direct
        )
    except (OSError, ValueError) as error:  # ValueError: its first words, in plain, came before TLS began
        # Nobody refers to the client any more, so that it is closed now: at the end of the process its event
        # loop no longer runs, and to close it would take a minute.
        traceback.clear_frames(error.__traceback__)
        raise LostClusterError(
            f"no scheduler answers at {opened.scheduler} ({error}); does it run, is it reached from here, and"
            " are its certificates signed by the same authority as ours?"
        ) from None
    with client:
        yield client


class _Keeper:
    """Calls each of ``looks`` again and again while a cluster is open. What one raises closes the client."""

    def __init__(self, client: distributed.Client, *looks: Callable[[], float] | None) -> None:
        self.error: Exception | None = None
        self._client = client
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(look,), daemon=True)
            for look in looks
            if look is not None
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=_SECONDS_TO_STOP)

    def _run(self, look: Callable[[], float]) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                pause = look()
            except Exception as error:  # noqa: BLE001 - it is raised where people see it
                if self._stopped.is_set():
                    return
                self.error = self.error or error
                self._client.close(timeout=1)
                return


def _wait_for(count: int, client: distributed.Client, deadline: _Deadline) -> None:
    """Wait until a worker has done something, which starts the first where a cluster grows by need."""
    try:
        while True:
            with suppress(KilledWorker):  # the next one may live
                client.submit(fitness, pure=False).result(timeout=deadline.left())
                break
        client.wait_for_workers(count, timeout=deadline.left())
    except TimeoutError:
        raise WinitError(
            f"too few workers came within {deadline.seconds:g} s (cluster.start_seconds)"
        ) from None
    except (ImportError, AttributeError) as error:
        raise WinitError(
            f"workers cannot run this winit ({error}); install the same version where they are"
        ) from None


def _check(client: distributed.Client) -> None:
    """Raise WinitError where a worker would compute other numbers, or more than one thing at a time."""
    here = fitness()
    for address, there in client.run(fitness, on_error="ignore").items():
        if there.versions != here.versions:
            raise WinitError(
                f"the worker {address} has {there.versions}, here is {here.versions}: numbers would depend on"
                " who computes them; install the same versions"
            )
        if there.threads > 1:
            raise WinitError(
                f"the worker {address} runs {there.threads} tasks at a time; start it with --nthreads 1 and"
                " --nworkers as many as it has cores"
            )
        if there.blas_threads > 1:
            raise WinitError(
                f"the worker {address} runs BLAS with {there.blas_threads} threads; set"
                f" {', '.join(f'{name}=1' for name in THREAD_VARIABLES)} where it is started"
            )
