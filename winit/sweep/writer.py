"""Results on their way to the store: gathered, and written as parts before long."""

import threading
from collections.abc import Sequence
from typing import Self

import pyarrow as pa

from winit.sweep.store import Part, Store

# Of rows in memory; on the disk they are a fifth to a third of it. As much again may be being written.
PART_BYTES = 64 * 2**20
# Of the time within which results are to be on the disk: the rest is for writing them.
_GATHERING = 0.8


class Writer:
    """Gathers results and writes them as parts: every ``part_seconds``, before they are too many to hold,
    and on exit.

    A thread writes, so that finished work reaches the disk while the next is long in coming, and the next
    comes while it is written. What goes wrong there is raised by the next ``add``, or on exit.
    """

    def __init__(self, store: Store, part_seconds: float) -> None:
        self._store = store
        self._part_seconds = part_seconds
        self._results: list[Part] = []
        self._bytes = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write_in_time, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()
        self._write()

    def add(self, result: Part) -> None:
        """Take a result; wait while there are too many.

        Raises what went wrong where earlier ones could not be written, an OSError as a rule. What was taken
        is tried again at the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or self._bytes < PART_BYTES)
            self._results.append(result)
            self._bytes += result.rows.nbytes
            self._changed.notify_all()
            if self._error is not None:
                raise self._error

    def _write_in_time(self) -> None:
        while not self._stopped:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopped or self._bytes >= PART_BYTES,
                    timeout=_GATHERING * self._part_seconds,
                )
            try:
                self._write()
            except Exception as error:  # noqa: BLE001 - it is raised where people see it
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return

    def _write(self) -> None:
        """Write what there is. Where that fails, it is still there."""
        with self._changed:
            results, size = self._results, self._bytes
            self._results, self._bytes = [], 0
            self._changed.notify_all()
        if not results:
            return
        try:
            self._store.write(_together(results))
        except Exception:
            with self._changed:
                self._results, self._bytes = results + self._results, size + self._bytes
            raise


def _together(results: Sequence[Part]) -> Part:
    rows = pa.concat_tables([result.rows for result in results]).unify_dictionaries()
    records = [record for result in results for record in result.records]
    return Part(rows, records, results[0].version, results[0].packages)
