"""What this machine lets the sweep use."""

from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
# Of the second version of control groups, and of the first.
_LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")


def memory_limit() -> float:
    """Bytes of memory that all processes of a sweep may use together.

    The machine's, or less where a container or a batch system allows less.
    """
    return float(min([psutil.virtual_memory().total, *_cgroup_limits(_OWN_CGROUPS, _CGROUPS)]))


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
