"""How fast this machine is: some networks of a plan are computed, as a worker would, against the clock."""

import time
from statistics import fmean

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from winit.network.cells import Cell
from winit.sweep.grid import Floats
from winit.sweep.kinds import KINDS, AnyCell, cells_of
from winit.sweep.patience import estimated
from winit.sweep.plan import seconds_of
from winit.sweep.small import cut_down, first_call, with_stand_ins

# Where in the plan, as shares of its cost: wherever one stops, about evenly spread.
_PLACES = (0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875, 0.0625, 0.5625, 0.3125, 0.8125, 0.1875, 0.6875)
_PIECES = 5  # so many fit into the time, as the estimate has it


def calibrated(rows: pa.Table, budget: float = 0.5) -> Floats:
    """Expected seconds of each of ``rows`` of a plan on one core of this machine.

    It is the estimate times the mean ratio of measured to estimated time of networks among the rows, drawn
    in proportion to their cost, timed for ``budget`` seconds in all. Large ones are cut smaller, and a
    user's own functions are not run. Nothing is compiled or called for the first time against the clock.
    """
    seconds = seconds_of(rows)
    if not rows.num_rows:
        return seconds
    spent, ratios = 0.0, []
    with threadpool_limits(1):
        for place in _PLACES:
            if spent > budget:
                break
            cells, estimated = _at(place, rows, seconds, budget / _PIECES)
            taken = _timed(cells)
            if taken is not None:
                spent += taken
                ratios.append(taken / estimated)
    # None is left where all of them raise, as they will in the sweep: the estimate stands as it is.
    return seconds * fmean(ratios or [1.0])


def _at(place: float, rows: pa.Table, seconds: Floats, piece: float) -> tuple[list[AnyCell], float]:
    """Some cells at ``place`` of the plan, and their estimated seconds, about ``piece``.

    Cells that are neighbours there share what they share in the sweep.
    """
    ends = np.cumsum(seconds)
    first = min(int(np.searchsorted(ends, place * ends[-1])), rows.num_rows - 1)
    behind = int(np.searchsorted(ends, ends[first] - seconds[first] + piece, side="right"))
    chosen = rows.slice(first, max(1, behind - first))
    cells = [with_stand_ins(cell) for cell in cells_of(chosen)]
    if isinstance(cells[0], Cell) and len(cells) > 1:
        return cells, float(seconds_of(chosen).sum())
    cell = cut_down(cells[0], 2 * piece)
    return [cell], estimated(cell)


def _timed(cells: list[AnyCell]) -> float | None:
    """Seconds that a worker takes for these; None where they raise."""
    kind = KINDS[type(cells[0])]
    first_calls = dict.fromkeys(map(first_call, cells))
    try:
        kind.rows(list(kind.compute(first_calls)))
        started = time.perf_counter()
        kind.rows(list(kind.compute(cells)))
    except Exception:  # noqa: BLE001 - it is the sweep that records what a cell raises
        return None
    return time.perf_counter() - started
