"""Whose fault it is that workers die or are stuck, and when cells are given up that are like others."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from winit.network.sources import is_users
from winit.sweep.kinds import AnyCell

# Workers die for reasons of their own. A cell that so many died of is tried again with the whole cluster to
# itself, and if then so many more die, it is the reason; one is enough where that one crashed, and where
# others like the cell were the reason.
_DEATHS_AMONG_OTHERS, _DEATHS_ALONE, _CLEAR_DEATHS = 2, 3, 1
# After so many cells that are alike, one after the other, that killed their workers or did not return, the
# others will do the same.
_IN_A_ROW = 3
# Cells that are put off until it is clear what becomes of others like them.
_MOST_PUT_OFF = 10_000


@dataclass(frozen=True)
class Likeness:
    """What cells have in common that may be the reason why they kill their workers, or do not return."""

    labels: tuple[str, ...]
    """Of the user's own functions, or all labels where there is none."""
    shape: str = ""
    """Depth and width; "" for cells of whatever shape."""

    def __str__(self) -> str:
        return f"{' with '.join(self.labels)}{self.shape}"


def likenesses(cell: AnyCell) -> tuple[Likeness, Likeness]:
    """To the cells of its function, and to those of them that have its shape."""
    both = (cell.initializer, cell.activation)
    labels = tuple(filter(is_users, both)) or both
    return Likeness(labels), Likeness(labels, f" of depth {cell.depth} and width {cell.width}")


class Blame:
    """Remembers of what workers died, or in what they were stuck, and says what to do with cells alike."""

    def __init__(self) -> None:
        self.suspects: deque[AnyCell] = deque()
        """Cells that workers died of, it seems."""
        self._deaths: Counter[str] = Counter()
        # Since a cell alike returned.
        self._suspected: Counter[Likeness] = Counter()
        self._failed: Counter[Likeness] = Counter()
        self._reasons: dict[Likeness, str] = {}
        self._slow: set[Likeness] = set()
        self._put_off: dict[Likeness, list[list[AnyCell]]] = {}
        self._cells_put_off = 0

    def __bool__(self) -> bool:
        """Whether there is anything to blame a cell for."""
        return bool(self._suspected or self._failed or self._slow)

    def died(self, cell: AnyCell, workers: int, *, alone: bool, crashed: bool) -> bool:
        """So many workers died of a cell, it seems; it was ``alone`` where it had the cluster to itself.

        Whether that will do. If not it is among the suspects, or is to be tried again. ``crashed`` says that
        the worker ended by itself, and not by somebody's hand.
        """
        self._deaths[cell.id] += workers
        if alone:
            clear = crashed or any(self._failed[likeness] for likeness in likenesses(cell))
            wanted = _CLEAR_DEATHS if clear else _DEATHS_ALONE
            if self._deaths[cell.id] >= _DEATHS_AMONG_OTHERS + wanted:
                return True
            self.suspects.appendleft(cell)
            return False
        if self._deaths[cell.id] == workers:
            self._suspected.update(likenesses(cell))
        if self._deaths[cell.id] >= _DEATHS_AMONG_OTHERS:
            self.suspects.append(cell)
        return False

    def is_suspect(self, cell: AnyCell) -> bool:
        """Whether enough workers died of it."""
        return self._deaths[cell.id] >= _DEATHS_AMONG_OTHERS

    def failed(self, cell: AnyCell, reason: str) -> None:
        """A cell killed its workers, or did not return."""
        for likeness in likenesses(cell):
            self._failed[likeness] += 1
            self._reasons[likeness] = reason

    def slow(self, cells: Iterable[AnyCell]) -> None:
        """Cells took too long together: those that are like them are to be computed one by one."""
        self._slow.update(likenesses(cell)[1] for cell in cells)

    def is_slow(self, cell: AnyCell) -> bool:
        """Whether ``slow`` was said of cells like it."""
        return likenesses(cell)[1] in self._slow

    def returned(self, cells: Iterable[AnyCell]) -> list[list[AnyCell]]:
        """Cells came to an end of their own, which clears those like them. The cells that were put off."""
        if not (self._suspected or self._failed):
            return []
        released = []
        for likeness in {likeness for cell in cells for likeness in likenesses(cell)}:
            del self._suspected[likeness], self._failed[likeness]
            released += self._released(likeness)
        return released

    def given_up(self, cell: AnyCell) -> str | None:
        """Why a cell is given up; None where it is not."""
        for likeness in likenesses(cell):
            if self._failed[likeness] >= _IN_A_ROW:
                return (
                    f"given up after {self._failed[likeness]} cells of {likeness}, one after the other:"
                    f" {self._reasons[likeness]}"
                )
        return None

    def put_off(self, cells: list[AnyCell]) -> list[AnyCell]:
        """Put those cells off that are under suspicion. The others."""
        kept: list[AnyCell] = []
        for cell in cells:
            for likeness in likenesses(cell):
                if self._suspected[likeness] >= _IN_A_ROW:
                    self._put_off.setdefault(likeness, []).append([cell])
                    self._cells_put_off += 1
                    break
            else:
                kept.append(cell)
        return kept

    @property
    def enough_put_off(self) -> bool:
        """Whether it is time to see what becomes of the suspects."""
        return self._cells_put_off >= _MOST_PUT_OFF

    def judged(self) -> list[list[AnyCell]]:
        """No suspect is left. The cells that were put off."""
        self._suspected.clear()
        return [cells for likeness in list(self._put_off) for cells in self._released(likeness)]

    def _released(self, likeness: Likeness) -> list[list[AnyCell]]:
        released = self._put_off.pop(likeness, [])
        self._cells_put_off -= sum(map(len, released))
        return released
