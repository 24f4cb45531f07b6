"""What runs on a worker: a block of cells in, their rows and records out; and whether it is fit for that."""

import importlib.metadata
import platform
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from winit.errors import RaisedError
from winit.network.cells import Cell
from winit.network.guard import guarded
from winit.network.labels import LabelError, described
from winit.sweep.kinds import KINDS, AnyCell
from winit.sweep.small import first_call, with_stand_ins
from winit.sweep.store import Part, Record

_PACKAGES = ("numpy", "scipy", "numba")


def compute(cells: Sequence[AnyCell], name: str = "") -> Part:
    """Compute ``cells``, all of one kind. Under ``name`` one can look at how far it is meanwhile.

    Where a cell raises, the others are computed one by one, so that it fails alone.
    """
    _warm_up(cells[0])
    block = _at_work[name] = _Block(cells)
    try:
        block.compute()
    finally:
        del _at_work[name]
    return block.finished_after(0)


_warm: set[tuple[type[AnyCell], str]] = set()


def _warm_up(cell: AnyCell) -> None:
    """Have what is compiled loaded, or compiled, which is no fault of the first cell that needs it.

    That may take a minute on a new machine, and some seconds in every new process.
    """
    need = (type(cell), cell.probe.dtype if isinstance(cell, Cell) else cell.task.dtype)
    if need not in _warm:
        deque(KINDS[type(cell)].compute([first_call(with_stand_ins(cell))]), maxlen=0)
        _warm.add(need)


class _Block:
    """Cells that are being computed, and what of them is done."""

    def __init__(self, cells: Sequence[AnyCell]) -> None:
        self._cells = cells
        self._kind = KINDS[type(cells[0])]
        self._finished: list[Any] = []
        """What cells came to, and records of those that failed; others read it meanwhile."""
        self._since = time.monotonic()

    def compute(self) -> None:
        if self._raised(self._cells) is not None:
            done = {each.cell.id for each in self._finished}
            for cell in self._cells:
                if cell.id not in done and (error := self._raised([cell])) is not None:
                    self._add(Record(cell.id, 0.0, described(error)))

    def _raised(self, cells: Sequence[AnyCell]) -> Exception | None:
        """Compute ``cells``; an initializer is anybody's code, and may raise anything."""
        try:
            with guarded("a cell"):
                for each in self._kind.compute(cells):
                    self._add(each)
        except (LabelError, RaisedError) as error:
            return error
        return None

    def _add(self, each: Any) -> None:
        self._finished.append(each)
        self._since = time.monotonic()

    @property
    def silent(self) -> float:
        """Seconds since something was finished, or the whole began."""
        return time.monotonic() - self._since

    def finished_after(self, count: int) -> Part:
        """What is finished beyond the first so many cells."""
        finished = self._finished[count:]
        failed = [each for each in finished if isinstance(each, Record)]
        computed = [each for each in finished if not isinstance(each, Record)]
        records = [Record(each.cell.id, each.seconds) for each in computed]
        return Part(self._kind.rows(computed), records + failed, self._kind.version, packages())


_at_work: dict[str, _Block] = {}


@dataclass(frozen=True)
class Sight:
    """How far a block is."""

    silent: float
    """Seconds in which nothing of it was finished, up to now."""
    finished: Part
    """What is new."""


def look(known: Mapping[str, int]) -> dict[str, Sight]:
    """Those blocks among ``known``, by name, that are being computed in this process.

    ``known`` says how many of a block's cells were seen finished before.
    """
    blocks = {name: block for name in known if (block := _at_work.get(name)) is not None}
    return {name: Sight(block.silent, block.finished_after(known[name])) for name, block in blocks.items()}


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
