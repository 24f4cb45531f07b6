"""Whether the tables of a results folder were made of one plan: each carries its plan's origin.

A mixture, as of last week's theory and today's cells, is refused where something is made of it, and said
where it is only asked.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from winit.errors import WinitError
from winit.findings.database import SEALED, maker
from winit.sweep.layout import Results
from winit.sweep.origins import LAYERS_KEY, PLAN_KEY, TRAINING_KEY, carried
from winit.sweep.seals import DamagedError, check_table

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
    chosen = set(views)
    problems = _layers_too_many(results) if "layers" in chosen else []
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


def _layers_too_many(results: Results) -> list[str]:
    """A line where the layers are of more or fewer files than were written, as where one was copied."""
    written = (_metadata(results.cells) or {}).get(LAYERS_KEY) if results.cells.exists() else None
    found = len(_files(results, "layers"))
    # Compared as bytes, since whoever only asks may come by a cells table that is damaged.
    if written is None or not found or written == str(found).encode():
        return []
    said = f"{results.layers} has {found} files, and {written.decode(errors='replace')} were written"
    return [f"{said}; {maker('layers', results)} makes it anew"]


def _files(results: Results, view: str) -> list[Path]:
    """Those that are there. A pipe, of which reading would never end, is none."""
    paths = sorted(results.layers.glob("*.parquet")) if view == "layers" else [getattr(results, view)]
    return [path for path in paths if path.is_file()]


def _carried(path: Path) -> dict[bytes, bytes]:
    return carried(_metadata(path))


def _metadata(path: Path) -> Mapping[bytes, bytes] | None:
    """Of a Parquet file; None where it cannot be read, which whoever reads the rest will say."""
    try:
        return pq.read_metadata(path).metadata or {}
    except (ValueError, pa.ArrowException, OSError):
        return None


def _check(results: Results, path: Path) -> None:
    """Raise WinitError where a file that was sealed is damaged."""
    view = next(view for view in VIEWS if path in _files(results, view))
    if view not in SEALED:
        return
    try:
        check_table(path)
    except DamagedError as error:
        said = f"{view} cannot be read ({path}: {error.why})"
        raise WinitError(f"{said}; {maker(view, results)} makes it anew") from None
