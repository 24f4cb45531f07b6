"""How long a cell may take: in a sweep before it is given up, and in a plan before it is refused."""

import math
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from winit.errors import WinitError
from winit.network.cells import Cell, Probe, hidden_widths
from winit.network.training import Task
from winit.sweep.config import Config
from winit.sweep.costs import backward_cost, forward_cost, training_cost
from winit.sweep.estimates import duration
from winit.sweep.kinds import AnyCell
from winit.sweep.settings import BATCH_SYSTEMS, ClusterSettings

# Where the config sets no bound: so many seconds, and so many times the estimate where that is more. The
# estimate knows neither the machine nor what a user's function does.
_SECONDS = 600.0
_TIMES_THE_ESTIMATE = 100.0
# Where it sets one: what cells that are computed together may take beyond it, likewise.
_TIMES_TOGETHER = 10.0


def estimated(cell: AnyCell) -> float:
    """Seconds that a cell takes by itself, on one core of a current machine."""
    return _estimated(cell.width, cell.depth, cell.probe if isinstance(cell, Cell) else cell.task)


def _estimated(width: str, depth: int, settings: Probe | Task) -> float:
    widths = hidden_widths(width, depth)
    if isinstance(settings, Task):
        return training_cost(widths, settings).seconds
    return forward_cost(widths, settings).seconds + backward_cost(widths, settings).seconds


@dataclass(frozen=True)
class Patience:
    """How long a sweep waits, in seconds."""

    part: float = 10.0
    """Within about this, what is finished is to be on the disk."""
    cell: float | None = None
    """For a cell; None where the estimate says it."""
    lifetime: float = math.inf
    """Of a worker."""

    @classmethod
    def of(cls, config: Config) -> "Patience":
        """As a config has it."""
        return cls(config.sweep.part_seconds, config.sweep.cell_seconds, _lifetime(config.cluster))

    def limit(self, cells: list[AnyCell]) -> float:
        """After so long without any of ``cells`` finished, what computes them is stuck."""
        together = sum(map(estimated, cells))
        if self.cell is not None:
            # Of cells that are computed together the first may come when all do.
            return self.cell if len(cells) == 1 else max(self.cell, _TIMES_TOGETHER * together)
        return min(max(_SECONDS, _TIMES_THE_ESTIMATE * together), self.lifetime)

    @property
    def between_looks(self) -> float:
        """A task that takes longer is looked at, and so often."""
        return min(max(self.part, 1.0), max((self.cell or self.part) / 4, 0.5))


def check_time(plan: pa.Table, pace: float, cluster: ClusterSettings) -> None:
    """Raise WinitError where a cell takes longer than a worker of a batch system lives.

    Its worker would leave, and the next one begin it anew, for ever. ``pace`` is by how much the estimate is
    to be multiplied for this machine.
    """
    lifetime = _lifetime(cluster)
    settings = Task if "steps" in plan.schema.names else Probe
    names = list(settings.__dataclass_fields__)
    longest, worst = 0.0, dict[str, Any]()
    for row in plan.group_by([*names, "width", "depth"]).aggregate([]).to_pylist():
        given = settings(**{name: row[name] for name in names})
        seconds = pace * _estimated(row["width"], row["depth"], given)
        if seconds > longest:
            longest, worst = seconds, row
    if longest <= lifetime:
        return
    steps = f", {worst['steps']:,} steps" if "steps" in worst else ""
    less = "fewer steps or a smaller depth or width" if steps else "a smaller depth, width or batch"
    raise WinitError(
        f"a {'run' if steps else 'cell'} of depth {worst['depth']}, width {worst['width']} and batch"
        f" {worst['batch']}{steps} takes about {duration(longest)} by itself, and a worker of a job with"
        f" cluster.batch.walltime {cluster.batch.walltime} lives for {duration(lifetime)}: it would be"
        f" begun again and again; ask for a longer walltime, or take {less}"
    )


def _lifetime(cluster: ClusterSettings) -> float:
    """The least number of seconds that a worker lives."""
    if cluster.kind not in BATCH_SYSTEMS:
        return math.inf
    lifetime, stagger = cluster.batch.lifetime
    return float(lifetime - stagger)
