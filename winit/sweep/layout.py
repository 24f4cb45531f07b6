"""Where everything is under the results folder."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from winit.errors import WinitError
from winit.sweep.files import refuse_link
from winit.sweep.seals import DamagedError, read_sealed

MAKE_PLAN = (
    "`winit plan --write` with the same --config makes it anew, and nothing that is stored is computed again"
)
"""What to do about a plan that is of no use."""
SHARDS_KEY = b"shards"
"""Metadata of a plan: into how many shards it is cut."""


@dataclass(frozen=True)
class Results:
    """The paths of one results folder."""

    folder: Path
    trains: bool = False
    """Whether this is the folder of the training sweep, whose plan is of training runs."""

    @property
    def config(self) -> Path:
        """The checked config."""
        return self.folder / "config.yaml"

    @property
    def plan(self) -> Path:
        """The cells, their cost, blocks and shards."""
        return self.folder / "plan.parquet"

    @property
    def parts(self) -> Path:
        """The store of finished cells."""
        return self.folder / "parts"

    @property
    def layers(self) -> Path:
        """The folder of the layers dataset."""
        return self.folder / "layers"

    @property
    def cells(self) -> Path:
        """A row for each cell."""
        return self.folder / "cells.parquet"

    @property
    def training_sweep(self) -> "Results":
        """The folder of the training sweep, with a plan, a store and manifests of its own."""
        return Results(self.folder / "training", trains=True)

    @property
    def training(self) -> Path:
        """A row for each layer at each recorded step of each training run."""
        return self.folder / "training.parquet"

    @property
    def training_runs(self) -> Path:
        """A row for each training run."""
        return self.folder / "training_runs.parquet"

    @property
    def claims(self) -> Path:
        """A row for each claim of the notes."""
        return self.folder / "claims.parquet"

    @property
    def theory(self) -> Path:
        """What theory predicts, a row for each layer of each network."""
        return self.folder / "theory.parquet"

    @property
    def functions(self) -> Path:
        """What the findings show of the user's own functions."""
        return self.folder / "functions.json"

    @property
    def summary(self) -> Path:
        """A row for each network, over its seeds."""
        return self.folder / "summary.parquet"

    @property
    def tables(self) -> Path:
        """Tables for people."""
        return self.folder / "tables"

    @property
    def answers(self) -> Path:
        """A row for each network, with its best initializer."""
        return self.tables / "answers.parquet"

    @property
    def ranking(self) -> Path:
        """A row for each initializer of each activation."""
        return self.tables / "ranking.parquet"

    @property
    def figures(self) -> Path:
        """Figures for people."""
        return self.folder / "figures"

    @property
    def report(self) -> Path:
        """The one page."""
        return self.folder / "report.html"

    @property
    def status(self) -> Path:
        """What the last step said."""
        return self.folder / "status.txt"

    @property
    def shards(self) -> Path:
        """The manifests of the shards."""
        return self.folder / "shards"

    @property
    def locks(self) -> Path:
        """The locks."""
        return self.folder / ".locks"

    @property
    def cluster(self) -> Path:
        """Logs and certificates of batch jobs."""
        return self.folder / "cluster"

    def shard(self, number: int, of: int) -> Path:
        """What the sweep of one shard came to; its only declared output."""
        return self.shards / f"{number}-of-{of}.json"

    @property
    def remake(self) -> Path:
        """What is newer than the config and the plans where they are to be made anew (``belonging.mark``)."""
        return self.locks / "remake"

    def lock(self, name: str) -> Path:
        """What a process holds while it does what only one may do at a time."""
        return self.locks / name

    def refuse_links(self) -> None:
        """Raise WinitError where a folder in this one, or a lock, is a symbolic link.

        The results folder itself may be one. Files that are links are replaced (``files.replacing``).
        """
        for sweep in (self, self.training_sweep):
            folders = (sweep.parts, sweep.shards, sweep.locks, sweep.layers, sweep.tables, sweep.figures)
            for folder in (*folders, sweep.parts / "set-aside", sweep.cluster):
                refuse_link(folder)
            for lock in sweep.locks.glob("*"):
                refuse_link(lock)
        refuse_link(self.training_sweep.folder)

    def forget_shards(self) -> None:
        """Make a new run sweep every shard again; it computes what the store lacks."""
        for manifest in self.shards.glob("*.json"):
            manifest.unlink()

    def read_plan(self) -> pa.Table:
        """The plan as it was written. Raises WinitError where there is none, and where it is damaged.

        Likewise where another version of winit made it, with other columns.
        """
        if not self.plan.exists():
            raise WinitError(f"there is no {self.plan}; run `winit plan --write` first")
        try:
            plan = read_sealed(self.plan)
        except DamagedError as error:
            raise WinitError(f"{error}; {MAKE_PLAN}") from None
        if SHARDS_KEY not in plan.schema.metadata:
            raise WinitError(f"{self.plan} is another table, no plan; {MAKE_PLAN}")
        _check_version(plan, self.plan)
        return plan


def _check_version(plan: pa.Table, path: Path) -> None:
    """Raise WinitError where a plan has not the columns of this version."""
    from winit.sweep.schema import PLAN, TRAINING_PLAN  # it takes a second to load

    there = dict(zip(plan.schema.names, plan.schema.types, strict=True))
    expected = TRAINING_PLAN if "learning_rate" in there else PLAN
    if any(there.get(field.name) != field.type for field in expected):
        raise WinitError(f"{path} is of another version of winit; {MAKE_PLAN}")
