"""What this machine lets the sweep use."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil

USABLE = 0.95
"""Of a worker's share of the memory: what a plan may take, and beyond which Dask ends the worker."""
WORKER_BYTES = 0.3e9
"""What a worker takes beside its cells, measured: Python, NumPy, numba, Dask."""
NANNIES_BYTES = 0.1e9
"""What starts the workers of a job and looks after them takes itself, measured: Python and Dask."""
KEPT_BYTES = 2**25
"""The C library keeps what is smaller when it is freed, and hands back what is larger."""
# Of a worker's share: what standard draws fill it up to, beside cells.
_COMFORTABLE = 0.8
# Of a worker's share: one that holds so much more between cells than when it was new is replaced at need.
_GROWN = 0.1

WORKER_MEMORY = {
    # By itself Dask pauses a worker, for as long as it takes, where a plan lets cells go on.
    "distributed.worker.memory.pause": False,
    # Results are small, and go to the sweep at once: none is to be put on the disk.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.terminate": USABLE,
    "distributed.worker.memory.monitor-interval": "100ms",
}
"""Dask's settings for workers of ours, whatever a user has set for others."""
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
# Of the second version of control groups, and of the first.
_LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")


THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def one_thread_each() -> None:
    """Give the numerical libraries one thread, in this process and in those that it starts.

    More threads add up in another order, so that last bits would be another machine's. And a worker is one
    thread of the sweep: Snakemake exports its own thread count to every job, and N workers would run N
    threads each. Every command begins with this, before NumPy is loaded.
    """
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    if "numpy" in sys.modules:  # then it has read the environment as it was
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """The same meanwhile, in a process that is not ours alone."""
    import numpy  # noqa: F401, ICN001 - what is loaded later would not be found
    import scipy.linalg  # noqa: F401 - it has a library of its own
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def available_cores() -> int:
    """The cores that this process may use: fewer than the machine's under a batch system."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_limit() -> float:
    """Bytes of memory that all processes of a sweep may use together.

    The machine's, or less where a container or a batch system allows less.
    """
    return float(min([psutil.virtual_memory().total, *_cgroup_limits(_OWN_CGROUPS, _CGROUPS)]))


def share_of_job(workers: int) -> float:
    """Bytes for each of ``workers`` in a job of which nobody said how much memory it has.

    What this machine lets the job use; where it sets no limit, the part of a machine's memory that goes with
    a core, since other jobs may be beside it.
    """
    allowed = (memory_limit() - NANNIES_BYTES) / workers
    return min(allowed, psutil.virtual_memory().total / (os.cpu_count() or 1))


@contextmanager
def working(need: float) -> Iterator[float]:
    """While cells that take ``need`` bytes are computed here, on a worker or not.

    Yields how many bytes more may be taken without disturbing the sweep, for standard draws; it may be less
    than none. What the C library keeps for later is handed back where there would be no room otherwise. A
    worker without room for such cells again, since a user's function keeps what it made, is paused, and so
    replaced (``standstill``).
    """
    worker = _worker()
    limit = (worker.memory_manager.memory_limit if worker else None) or memory_limit() / available_cores()
    new = _when_new()
    if _held() + need > _COMFORTABLE * limit:
        _hand_back()
    before = _held()

    def is_full() -> bool:
        """Whether there is no room for such cells again, and for as much more as these left behind."""
        held = _held()
        return held + need + max(held - before, 0) > USABLE * limit

    try:
        yield _COMFORTABLE * limit - before - need
    finally:
        if is_full():
            _hand_back()
            if worker and worker.nanny and is_full() and _held() > new + _GROWN * limit:
                worker.loop.add_callback(_pause, worker)


def _worker() -> Any:
    """The Dask worker that this thread works for, if it does."""
    if "distributed" not in sys.modules:  # as it is in every worker; others need not wait for it
        return None
    import distributed

    try:
        return distributed.get_worker()
    except ValueError:
        return None


def _pause(worker: Any) -> None:
    from distributed.core import Status

    if worker.status == Status.running:
        worker.memory_manager.memory_pause_fraction = False  # or Dask would have it go on
        worker.status = Status.paused


def _held() -> int:
    """Bytes of memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


@cache
def _when_new() -> int:
    return _held()


def _hand_back() -> None:
    """Free what nobody refers to, and hand what the C library keeps back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _cgroup_limits(own: Path, mounted: Path) -> list[int]:
    """The limits in bytes of the control groups in the file ``own``, and of all groups around them.

    ``mounted`` is where their files are; there are none on other systems than Linux.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    limits = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = mounted / "memory" if controllers else mounted
        inner = root / group.lstrip("/")
        for folder in (inner, *(parent for parent in inner.parents if parent.is_relative_to(root))):
            for name in _LIMIT_FILES:
                try:
                    limits.append(int((folder / name).read_text(encoding="utf-8")))
                except (OSError, ValueError):  # no such group here, or "max": no limit
                    continue
    return limits
