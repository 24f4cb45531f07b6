"""What this machine lets the sweep use."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

USABLE = 0.95
"""What Dask leaves to a worker of its share of the memory: beyond that it ends it."""
WORKER_BYTES = 0.3e9
"""What a worker takes beside its cells, measured: Python, NumPy, numba, Dask."""
# Beyond that share Dask gives a worker nothing more to do until it has less.
_COMFORTABLE = 0.8
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


def worker_memory() -> float:
    """Bytes that this process may use for cells without disturbing the sweep, a worker or not."""
    limit = memory_limit()
    if "distributed" in sys.modules:  # as in every worker; others need not wait for it
        import distributed

        with suppress(ValueError):  # not a worker
            limit = distributed.get_worker().memory_manager.memory_limit or limit
    return _COMFORTABLE * limit - WORKER_BYTES


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
