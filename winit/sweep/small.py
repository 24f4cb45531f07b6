"""Smaller cells of the same kind in the place of others: to be timed, and to call everything once before."""

from dataclasses import replace

from winit.network.cells import Cell
from winit.network.sources import is_users
from winit.network.training import Run
from winit.sweep.kinds import AnyCell
from winit.sweep.patience import estimated

_SMALLEST = 16  # of units, examples and steps: below that calls are all there is to time


def with_stand_ins(cell: AnyCell) -> AnyCell:
    """The cell without a user's own functions, and without data that take longer to load than to train on."""
    if is_users(cell.initializer):
        cell = replace(cell, initializer="glorot_uniform")
    if is_users(cell.activation):
        cell = replace(cell, activation="tanh")
    if isinstance(cell, Run):
        cell = replace(cell, task=replace(cell.task, data="spiral"))
    return replace(cell, sources=())


def first_call(cell: AnyCell) -> AnyCell:
    """A cell as small as can be, that calls what ``cell`` calls."""
    return replace(cut_down(cell, 0.0), seed=0)


def cut_down(cell: AnyCell, seconds: float) -> AnyCell:
    """A smaller cell of its kind, that takes at most ``seconds`` by the estimate where there is one."""
    while estimated(cell) > seconds and (smaller := _smaller(cell)) != cell:
        cell = smaller
    return cell


def _smaller(cell: AnyCell) -> AnyCell:
    """Half the steps, or half the depth, or the width, or the batch; itself where all are small."""
    if isinstance(cell, Run) and cell.task.steps > _SMALLEST:
        return replace(cell, task=replace(cell.task, steps=cell.task.steps // 2))
    if cell.depth > 2:
        return replace(cell, depth=cell.depth // 2)
    ends = [int(end) for end in cell.width.split("-")]
    if max(ends) > _SMALLEST:
        return replace(cell, width="-".join(str(max(end // 2, min(end, _SMALLEST))) for end in ends))
    if isinstance(cell, Cell) and cell.probe.batch > _SMALLEST:
        return replace(
            cell, probe=replace(cell.probe, batch=cell.probe.batch // 4 * 2)
        )  # some inputs need pairs
    return cell
