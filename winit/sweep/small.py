"""Smaller cells of the same kind in the place of others: to be timed, and to call everything once before."""

from collections.abc import Iterable
from dataclasses import replace

from winit.network.cells import Cell, given_widths
from winit.network.sources import is_users, source_name
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
    elif source_name(cell.probe.input) is not None:
        cell = replace(cell, probe=replace(cell.probe, input="normal"))
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
    """Half the steps, or half the depth, or a width, or the batch; itself where all are small."""
    if isinstance(cell, Run) and cell.task.steps > _SMALLEST:
        return replace(cell, task=replace(cell.task, steps=cell.task.steps // 2))
    given = given_widths(cell.width)
    if cell.depth > 2:
        ends = given if len(given) < 3 else (given[0], given[-1])  # fewer layers have room for no more
        return replace(cell, depth=cell.depth // 2, width=_written(ends))
    if max(given) > _SMALLEST:
        return replace(cell, width=_written(max(units // 2, min(units, _SMALLEST)) for units in given))
    if isinstance(cell, Cell) and cell.probe.input_width > _SMALLEST:
        return replace(cell, probe=replace(cell.probe, input_width=cell.probe.input_width // 2))
    if isinstance(cell, Cell) and cell.probe.batch > _SMALLEST:
        return replace(
            cell, probe=replace(cell.probe, batch=cell.probe.batch // 4 * 2)
        )  # some inputs need pairs
    return cell


def _written(widths: Iterable[int]) -> str:
    return "-".join(map(str, widths))
