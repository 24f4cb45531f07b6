"""Whether the tables of a results folder were made of one plan: each carries its plan's origin.

A mixture, as of last week's theory and today's cells, is refused where something is made of it, and said
where it is only asked.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from winit.errors import WinitError
from winit.findings.database import maker
from winit.sweep.layout import Results
from winit.sweep.origins import PLAN_KEY, TRAINING_KEY, carried
from winit.sweep.seals import DamagedError, check_seal

_OF_CELLS = ("layers", "cells", "theory", "summary", "answers", "ranking", "claims")
_OF_RUNS = ("training", "training_runs", "claims")
VIEWS = tuple(dict.fromkeys((*_OF_CELLS, *_OF_RUNS)))


def check_together(results: Results, views: Iterable[str] = VIEWS) -> dict[bytes, bytes]:
    """What the tables of these views, where they are there, were made of: metadata for what is made of them.

    Raises WinitError where they were not made of one plan, or one is damaged.
    """
    chosen = tuple(views)
    for path in (path for view in chosen for path in _files(results, view)):
        _check(results, path)
    if problems := mixtures(results, chosen):
        raise WinitError("\n".join(problems))
    found: dict[bytes, bytes] = {}
    for view in chosen:
        for path in _files(results, view)[:1]:
            found |= _carried(path)
    return found


def mixtures(results: Results, views: Iterable[str] = VIEWS) -> list[str]:
    """A line for each view that is not of the plan that is there, or else of that of the cells."""
    problems = []
    chosen = set(views)
    for key, of_plan, plan, first in (
        (PLAN_KEY, _OF_CELLS, results.plan, "cells"),
        (TRAINING_KEY, _OF_RUNS, results.training_sweep.plan, "training_runs"),
    ):
        there = {view: _files(results, view) for view in of_plan if view in chosen}
        origins = {
            view: {carried(read).get(key) for read in map(_metadata, paths) if read is not None}
            for view, paths in there.items()
        }
        known = _carried(plan).get(key) if plan.exists() else None
        against, wanted = str(plan), known
        if known is None and origins.get(first):
            against, wanted = first, next(iter(origins[first]))
        if not _files(results, first):
            # What could have been made without them, as claims can, was not made of anything else.
            origins = {view: found - {None} for view, found in origins.items()}
        for view, found in origins.items():
            if found and found != {wanted}:
                problems.append(
                    f"{view} was made of another plan than {against}; {maker(view, results)} makes it anew"
                )
    return problems


def _files(results: Results, view: str) -> list[Path]:
    if view == "layers":
        return sorted(results.layers.glob("*.parquet"))
    path: Path = getattr(results, view)
    return [path] if path.exists() else []


def _carried(path: Path) -> dict[bytes, bytes]:
    return carried(_metadata(path))


def _metadata(path: Path) -> Mapping[bytes, bytes] | None:
    """Of a Parquet file; None where it cannot be read, which whoever reads the rest will say."""
    try:
        return pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError):
        return None


def _check(results: Results, path: Path) -> None:
    """Raise WinitError where a file that was sealed is damaged. One without an origin is an older winit's."""
    read = _metadata(path)
    sealed = read is None or carried(read)
    if path in {results.cells, results.theory, results.training_runs} and sealed:
        try:
            check_seal(path)
        except DamagedError as error:
            view = next(view for view in VIEWS if path in _files(results, view))
            said = f"{view} cannot be read ({path}: {error.why})"
            raise WinitError(f"{said}; {maker(view, results)} makes it anew") from None
