"""What runs on a worker: a block of cells in, their layer rows and records out."""

import importlib.metadata
import platform
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from winit.network.cells import Cell
from winit.network.kernel import Measured, measure
from winit.network.labels import described
from winit.sweep.schema import layer_rows
from winit.sweep.store import Record

_PACKAGES = ("numpy", "scipy", "numba")


@dataclass(frozen=True)
class BlockResult:
    """What a block came to: rows of the cells that finished, a record of every cell."""

    rows: pa.Table
    records: list[Record]
    packages: str


def compute(cells: list[Cell]) -> BlockResult:
    """Compute ``cells``.

    Where a cell raises, the others are computed one by one, so that it fails alone.
    """
    try:
        measured = list(measure(cells))
        failed: list[Record] = []
    except (Exception, SystemExit):  # noqa: BLE001 - an initializer is anybody's code and may raise anything
        measured, failed = _one_by_one(cells)
    finished = [Record(m.cell.id, m.seconds) for m in measured]
    return BlockResult(layer_rows(measured), finished + failed, packages())


def _one_by_one(cells: list[Cell]) -> tuple[list[Measured], list[Record]]:
    measured: list[Measured] = []
    failed: list[Record] = []
    for cell in cells:
        try:
            measured += measure([cell])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above; it is recorded, and reported at the end
            failed.append(Record(cell.id, 0.0, described(error)))
    return measured, failed


@cache
def packages() -> str:
    """Versions of what decides the last bits of a number."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    return ", ".join([f"python {platform.python_version()}", *versions])
