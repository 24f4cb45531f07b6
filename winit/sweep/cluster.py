"""Where the sweep computes: the only place that knows which kind of cluster it is."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dask
import distributed

from winit.errors import WinitError
from winit.sweep.config import ClusterSettings
from winit.sweep.machine import THREAD_VARIABLES

# A layer's arrays are some megabytes: let the C library keep them for the next layer, instead of handing
# them back to the system and having every page zeroed again. (glibc's names; others ignore them.)
_KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
WORKER_ENVIRONMENT = dict.fromkeys(THREAD_VARIABLES, "1") | _KEEP_MEMORY
_DASK_SETTINGS = {
    "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
    # A task whose worker died is given back: the engine finds the cell whose fault it was.
    "distributed.scheduler.allowed-failures": 0,
    # After so long without it, a worker counts as lost; see ``_keep``.
    "distributed.deploy.lost-worker-timeout": "10s",
}


_SECONDS_BETWEEN_LOOKS = 2.0


@contextmanager
def open_cluster(settings: ClusterSettings, workers: int) -> Iterator[distributed.Client]:
    """A Dask client of a cluster with ``workers`` workers of one thread each.

    Raises WinitError where a worker's numerical libraries would use more than one thread.
    """
    with (
        dask.config.set(_DASK_SETTINGS),
        _KINDS[settings.kind](workers) as cluster,
        distributed.Client(cluster, set_as_default=False, direct_to_workers=True) as client,
        _keep(cluster, workers),
    ):
        client.wait_for_workers(workers, timeout=120)
        threads = client.run(blas_threads)
        if any(count > 1 for count in threads.values()):
            raise WinitError(f"workers run BLAS with more than one thread: {threads}; unset what sets it so")
        yield client


@contextmanager
def _keep(cluster: distributed.SpecCluster, workers: int) -> Iterator[None]:
    """Have ``workers`` workers, whatever becomes of them.

    A nanny starts its worker again when that dies, but not when it dies while it starts, and a batch
    system does not replace a job that ended. Asking for the same number again does.
    """
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.wait(_SECONDS_BETWEEN_LOOKS):
            cluster.scale(workers)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _local(workers: int) -> distributed.LocalCluster:
    """Processes on this machine that end with this one.

    Everything listens on loopback alone and speaks TLS, with a certificate that lives in memory
    and ends with the cluster.
    """
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tls://",
        security=distributed.Security.temporary(),
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,  # what a task raises is recorded with its cell
    )


_KINDS = {"local": _local}


def blas_threads() -> int:
    """The most threads that a numerical library of this process would use."""
    from threadpoolctl import threadpool_info

    import winit.network.kernel  # noqa: F401 - loads the libraries that are asked

    return max((library["num_threads"] for library in threadpool_info()), default=1)
