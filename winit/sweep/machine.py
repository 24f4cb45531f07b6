"""What this machine lets the sweep use."""

from pathlib import Path

import distributed
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


def memory_limit() -> float:
    """Bytes of memory that all processes of a sweep may use together.

    The machine's, or less where a container or a batch system allows less.
    """
    return float(min([psutil.virtual_memory().total, *_cgroup_limits(_OWN_CGROUPS, _CGROUPS)]))


def worker_memory() -> float:
    """Bytes that this process may use for cells without disturbing the sweep, a worker or not."""
    try:
        limit = distributed.get_worker().memory_manager.memory_limit or memory_limit()
    except ValueError:  # not a worker
        limit = memory_limit()
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
