"""What runs on a worker: a block of cells in, their rows and records out; and whether it is fit for that."""

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from winit.network.labels import described
from winit.sweep.kinds import KINDS, AnyCell, Kind
from winit.sweep.store import Part, Record

_PACKAGES = ("numpy", "scipy", "numba")


def compute(cells: Sequence[AnyCell]) -> Part:
    """Compute ``cells``, all of one kind.

    Where a cell raises, the others are computed one by one, so that it fails alone.
    """
    kind = KINDS[type(cells[0])]
    try:
        computed = list(kind.compute(cells))
        failed: list[Record] = []
    except (Exception, SystemExit):  # noqa: BLE001 - an initializer is anybody's code and may raise anything
        computed, failed = _one_by_one(kind, cells)
    finished = [Record(each.cell.id, each.seconds) for each in computed]
    return Part(kind.rows(computed), finished + failed, kind.version, packages())


def _one_by_one(kind: Kind, cells: Sequence[AnyCell]) -> tuple[list[Any], list[Record]]:
    computed: list[Any] = []
    failed: list[Record] = []
    for cell in cells:
        try:
            computed += kind.compute([cell])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above; it is recorded, and reported at the end
            failed.append(Record(cell.id, 0.0, described(error)))
    return computed, failed


@dataclass(frozen=True)
class Fitness:
    """What decides whether a worker computes the same numbers as others, and one thing at a time."""

    versions: str
    threads: int
    """tasks at a time"""
    blas_threads: int
    """the most that a numerical library would use"""


def fitness(dask_worker: Any = None) -> Fitness:
    """Of this process; Dask gives ``dask_worker`` (its name for it) where all workers are asked at once."""
    threads = dask_worker.state.nthreads if dask_worker else 1
    versions = ", ".join([*(f"{kind.work} {kind.version}" for kind in KINDS.values()), packages()])
    return Fitness(versions, threads, blas_threads())


def blas_threads() -> int:
    """The most threads that a numerical library of this process would use."""
    from threadpoolctl import threadpool_info

    return max((library["num_threads"] for library in threadpool_info()), default=1)


@cache
def packages() -> str:
    """Versions of what decides the last bits of a number."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    return ", ".join([f"python {platform.python_version()}", *versions])
