"""A results folder is of one config: its config.yaml, its two plans, and what the steps make of them.

What does not belong together is refused, with the mend. The store is another matter: its cells have ids that
stand for all that decides them, and serve any plan that asks for them.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from winit.errors import WinitError
from winit.sweep.config import Config, Judging
from winit.sweep.files import replacing
from winit.sweep.layout import MAKE_PLAN, Results
from winit.sweep.origins import Origins, origins_of
from winit.sweep.plan import shards_of, with_sources, write_plan
from winit.sweep.seals import said_in, sealed_text
from winit.sweep.verdicts import Thresholds

_LONG_AGO = 86400.0  # of the clock of files, which begins at 0


def canonical_text(config: Config) -> str:
    """What config.yaml holds: the config with every default, sealed, and what its plans are known by."""
    return sealed_text(config.to_yaml(), str(origins_of(config, config.sources)))


def write_config(config: Config, path: Path) -> None:
    """Write that text to a file, whole or not at all."""
    with replacing(path) as file:
        file.write_text(canonical_text(config), encoding="utf-8")


def write_plans(config: Config, results: Results, cells: pa.Table, runs: pa.Table) -> bool:
    """Make ``results`` those of ``config``: its config.yaml and its plans.

    Gives whether they were those of another config so far.
    """
    text = canonical_text(config).encode()
    there = results.config.read_bytes() if results.config.exists() else None
    if there != text:  # else a step that waits for it would take it for new
        write_config(config, results.config)
    for sweep, plan in ((results, cells), (results.training_sweep, runs)):
        with replacing(sweep.plan) as file:
            write_plan(plan, file)
    return there is not None and _said(there) != _said(text)


def _said(content: bytes) -> str | None:
    """What the plans of a config.yaml are known by; None where it does not say."""
    try:
        return said_in(content.decode())
    except ValueError:  # it is damaged
        return None


def planned(config: Config, sweep: Results) -> pa.Table:
    """The plan in the folder of a sweep, to be computed with the user's own functions as they are now.

    Raises WinitError where there is none, or it was not made from ``config`` and these functions.
    """
    plan, sources = sweep.read_plan(), config.sources
    check_plan(plan, sweep, origins_of(config, sources))
    return with_sources(plan, sources)


def check_plan(plan: pa.Table, sweep: Results, origins: Origins) -> None:
    """Raise WinitError where the plan of a sweep was made from something else."""
    key, digest = origins.runs if sweep.trains else origins.cells
    if plan.schema.metadata.get(key) == digest.encode():
        return
    kind = "training runs" if sweep.trains else "cells"
    if key not in plan.schema.metadata:
        raise WinitError(f"{sweep.plan} is no plan of {kind}; {MAKE_PLAN}")
    config = Results(sweep.folder.parent).config if sweep.trains else sweep.config
    raise WinitError(
        f"{sweep.plan} was made from another config than this one (from {config}, as a run of Snakemake,"
        f" which merges config files, leaves it), or a function of yours has changed since; {MAKE_PLAN}"
    )


@dataclass(frozen=True)
class Looked:
    """What is known of results that are only looked at."""

    results: Results
    thresholds: Thresholds
    origins: Origins

    def plan_of(self, sweep: Results) -> pa.Table:
        """The plan of a sweep. Raises WinitError where it does not belong here."""
        plan = sweep.read_plan()
        check_plan(plan, sweep, self.origins)
        return plan


def looked_at(path: Path) -> Looked:
    """What the config in a YAML file says of its results.

    A results folder's own config.yaml says what its plans are known by, so that no user's code is run to know
    it. Raises ConfigError where the config is wrong.
    """
    judging = Judging.of(path)
    results = Results(Path(judging.results))
    results.refuse_links()
    said = said_in(path.read_text(encoding="utf-8"))
    origins = Origins.parsed(said) if said else None
    if origins is None:
        config = Config.read(path, any_size=True)
        origins = origins_of(config, config.sources)
    return Looked(results, judging.thresholds, origins)


def out_of_place(config: Config, results: Results, shards: int) -> list[str]:
    """What there is in ``results`` that is damaged or not of ``config``, so that it is to be made anew.

    Its config.yaml, and its plans; the one of cells is to be cut into so many shards.
    """
    if not results.config.exists():
        return []
    if results.config.read_bytes() != canonical_text(config).encode():
        return [f"{results.config} is damaged, or of another config"]
    origins = origins_of(config, config.sources)
    found = []
    for sweep in (results, results.training_sweep):
        if sweep.plan.exists():
            try:
                plan = sweep.read_plan()
                check_plan(plan, sweep, origins)
            except WinitError as error:
                found.append(str(error).partition(";")[0])
            else:
                if not sweep.trains and shards_of(plan) != shards:
                    found.append(f"{sweep.plan} is cut into another number of shards")
    return found


def mark(path: Path, found: Sequence[str]) -> None:
    """Make the file at ``path`` newer than all others where something was found, for whom times tell."""
    if found or not path.exists():
        with replacing(path) as file:
            file.write_text("".join(f"{line}\n" for line in (f"{time.time():.6f}", *found)), encoding="utf-8")
            if not found:
                os.utime(file, (_LONG_AGO, _LONG_AGO))
