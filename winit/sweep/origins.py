"""What a plan was made from, as digests that plans and tables carry: what belongs together has the same ones.

An origin stands for all that decides a plan's cells: the grids, every setting of theirs, the texts of the
user's own functions, the version of the numerics. How the work is cut and where it is done does not enter.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from winit.network.cells import KERNEL_VERSION
from winit.network.sources import Sources, of_labels
from winit.network.training import TRAINING_VERSION
from winit.sweep.config import Config, Grid, TrainingGrid

PLAN_KEY, TRAINING_KEY = b"winit.plan", b"winit.training_plan"
"""Metadata of a table: the origin of the plan of cells, or of training runs, that it belongs to."""
LAYERS_KEY = b"winit.layers"
"""Metadata of the cells: of how many files the layers are."""


class Origin(NamedTuple):
    """Of one plan."""

    key: bytes
    digest: str

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """What a table carries that belongs to it."""
        return {self.key: self.digest.encode()}


class Origins(NamedTuple):
    """Of both plans of a config."""

    cells: Origin
    runs: Origin

    def __str__(self) -> str:
        return f"cells {self.cells.digest}, runs {self.runs.digest}"

    @classmethod
    def of(cls, cells: str, runs: str) -> "Origins":
        """From their digests."""
        return cls(Origin(PLAN_KEY, cells), Origin(TRAINING_KEY, runs))

    @classmethod
    def parsed(cls, text: str) -> "Origins | None":
        """From what ``str`` made of them; None where that is something else."""
        found = re.fullmatch(r"cells (\w+), runs (\w+)", text)
        return cls.of(*found.groups()) if found else None


def carried(metadata: Mapping[bytes, bytes] | None) -> dict[bytes, bytes]:
    """Of the metadata of a table, the origins of the plans that it belongs to."""
    return {key: value for key, value in (metadata or {}).items() if key in {PLAN_KEY, TRAINING_KEY}}


def origins_of(config: Config, sources: Sources) -> Origins:
    """Of the plans of ``config``, where the texts of the user's own functions are ``sources``."""
    return Origins.of(
        _digest(KERNEL_VERSION, config.grids, sources),
        _digest(TRAINING_VERSION, config.training.grids, sources),
    )


def _digest(version: str, grids: Iterable[Grid | TrainingGrid], sources: Sources) -> str:
    texts, labels = [], set()
    for grid in grids:
        labels |= set(grid.labels)
        settings = grid.model_dump(mode="json")
        # In which order the values of an axis stand changes nothing.
        sorted_ = {
            key: sorted(value) if isinstance(value, list) else value for key, value in settings.items()
        }
        texts.append(json.dumps(sorted_, sort_keys=True))
    used = sorted((source.name, source.digest) for source in of_labels(sorted(labels), sources))
    whole = json.dumps([version, sorted(texts), used])
    return hashlib.blake2b(whole.encode(), digest_size=10).hexdigest()
