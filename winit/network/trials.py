"""Whether a function of somebody's own gives the same for the same, whenever and wherever it is asked."""

from collections.abc import Callable, Sequence

from winit.network.arrays import Array
from winit.network.labels import LabelError

Made = Sequence[Array]


def check_same(label: str, mend: str, here: Callable[[], Made], elsewhere: Callable[[], Made]) -> Made:
    """What ``here`` gives. Raises LabelError, with ``mend``, unless it gives the same bits once more.

    And so must ``elsewhere``, which is the same as another process would have it.
    """
    made = here()
    if not _same(made, here()):
        raise LabelError(f"{label} gives other numbers each time it is called; {mend}")
    try:
        there = elsewhere()
    except LabelError:  # that a file cannot be run twice is no fault
        return made
    if not _same(made, there):
        raise LabelError(f"{label} gives other numbers in each process; {mend}")
    return made


def _same(one: Made, other: Made) -> bool:
    return [part.tobytes() for part in one] == [part.tobytes() for part in other]
