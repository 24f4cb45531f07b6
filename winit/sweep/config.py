"""The config: what may stand in it, and every error in it at once.

The models below are the one source: the check and the errors follow from them. ``Config.checked`` takes
what a YAML file or Snakemake holds, and gives the canonical config or a ``ConfigError``.
"""

import math
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from winit.errors import LONGEST_QUOTE, quoted, shortened
from winit.network.activations import activation
from winit.network.cells import Probe, given_widths, least_depth
from winit.network.initializers import initializer
from winit.network.inputs import Entry, input_of, is_paired, width_of
from winit.network.labels import LabelError
from winit.network.sources import Sources, is_users
from winit.network.training import Task
from winit.sweep.axes import (
    ActivationLabel,
    Axis,
    DatasetLabel,
    InitializerLabel,
    InputLabel,
    SeedRange,
    Seeds,
    Width,
)
from winit.sweep.fields import (
    LARGEST_WIDTH,
    CellCount,
    CellSeconds,
    Count,
    Depth,
    DepthOrNone,
    Model,
    NonNegative,
    Positive,
    Seconds,
    counted_in,
)
from winit.sweep.folders import results_folder
from winit.sweep.layout import Results
from winit.sweep.problems import MOST_PROBLEMS, ConfigError, Location, Problem, problem_of
from winit.sweep.reading import check_extent, read_yaml
from winit.sweep.settings import BatchSettings, ClusterSettings, TlsSettings, chosen
from winit.sweep.sources import announce, sources_of
from winit.sweep.verdicts import Thresholds
from winit.visible import visible


class ProbeSettings(Model):
    """What every cell does, unless a grid overrides it."""

    batch: Count = Field(
        Probe.batch, description="examples pushed through", json_schema_extra=counted_in("examples")
    )
    input: InputLabel = Field(Probe.input, description="what the examples are")
    dtype: Literal["float32", "float64"] = Field(
        Probe.dtype, description="of the network; statistics are float64 in any case"
    )
    outputs: Count = Field(
        Probe.outputs, description="width of the linear readout", json_schema_extra=counted_in("units")
    )
    bias_std: NonNegative = Field(
        Probe.bias_std, description="of the biases, N(0, bias_std²); an initializer's own take their place"
    )
    histograms: bool = Field(
        Probe.histograms, description="whether histograms are stored; false saves about half the bytes"
    )

    input_width: Count | None = Field(
        None,
        description="entries of an example; null: as many as hidden layer 1 has units, or as the input has",
        examples=[784],
        json_schema_extra=counted_in("units"),
    )

    @model_validator(mode="after")
    def _fits_the_input(self) -> Self:
        entry = self._entry
        if self.input_width and entry.width and self.input_width != entry.width:
            raise ValueError(
                f"input_width is {self.input_width}, but an example of {self.input} has {entry.width}"
                " entries; leave input_width out"
            )
        if self.input_width == 1 and entry.paired:
            raise ValueError(f"input_width is 1, but {self.input} needs at least 2 entries")
        if entry.largest_batch is not None and self.batch > entry.largest_batch:
            raise ValueError(
                f"batch is {self.batch}, but there are {entry.largest_batch} examples in {entry.name};"
                " take a smaller batch or another input"
            )
        if entry.paired and self.batch % 2:
            raise ValueError(f"batch is {self.batch}, but {self.input} needs an even one")
        return self

    @property
    def probe(self) -> Probe:
        """The same, for the kernel."""
        # What the catalogue knows of an input need not be said, so that a cell has one id.
        known = width_of(self.input) is not None
        asked = 0 if known else self.input_width or self._entry.width or 0
        return Probe(**self.model_dump() | {"input_width": asked})

    @property
    def sources(self) -> Sources:
        """Of the input, where it is one's own, as it is now."""
        return sources_of([self.input])

    @property
    def _entry(self) -> Entry:
        return input_of(self.input, self.sources).entry


class TaskSettings(Model):
    """What every training run does, unless a grid overrides it."""

    data: DatasetLabel = Field(Task.data, description="what is trained on")
    steps: Count = Field(
        Task.steps, description="updates of plain gradient descent", json_schema_extra=counted_in("updates")
    )
    batch: Count = Field(
        Task.batch,
        description="examples of a mini-batch; all where there are fewer",
        json_schema_extra=counted_in("examples"),
    )
    dtype: Literal["float32", "float64"] = Field(Task.dtype, description="of the network")
    bias_std: NonNegative = Field(
        Task.bias_std,
        description="of the biases at the start, N(0, bias_std²); an initializer's own take their place",
    )

    @property
    def task(self) -> Task:
        """The same, for the training probe."""
        return Task(**self.model_dump())


class _Networks(Model):
    """A product of axes. Each is a list, or a single value."""

    initializer: Axis[InitializerLabel] = Field(
        description="names of the catalogue, with arguments as calls, or functions of your own",
        examples=[["he_normal", "normal(std=0.02)", "orthogonal"]],
    )
    activation: Axis[ActivationLabel] = Field(
        description="likewise", examples=[["relu", "leaky_relu(negative_slope=0.2)"]]
    )
    depth: Axis[Depth] = Field(
        description="hidden layers", examples=[[10, 30]], json_schema_extra=counted_in("layers")
    )
    width: Axis[Width] = Field(
        description="of all hidden layers; of the first and the last, with a geometric taper between them;"
        f" of each; or of some at equal distances, with tapers between them; at most {LARGEST_WIDTH}",
        examples=[[256, "1024-64", "784-256-128", "512-32-512"]],
        json_schema_extra=counted_in("units"),
    )
    seed: Seeds = Field(
        description="all random streams of a network depend on it; initializers share them",
        examples=[{"first": 0, "count": 5}],
    )

    @property
    def labels(self) -> list[str]:
        """What may be functions and files of one's own."""
        return [*self.initializer, *self.activation]

    @property
    def sources(self) -> Sources:
        """Of the user's own functions and files among the labels, as they are now."""
        return sources_of(self.labels)

    @property
    def size(self) -> int:
        """How many points the product has."""
        return math.prod(len(axis) for _, axis in self if isinstance(axis, (list, range)))

    @model_validator(mode="after")
    def _widths_fit_depths(self) -> Self:
        shallow = min(filter(None, self.depth), default=LARGEST_WIDTH)  # the linear model has no width
        for width in self.width:
            if (least := least_depth(width)) > shallow:
                raise ValueError(
                    f"width {shortened(width, LONGEST_QUOTE)} names {least} hidden layers, and depth is"
                    f" {shallow}; take a depth of at least {least}, or leave out of the width what is no"
                    " hidden layer: the entries of an example (in a probe, input_width) and the outputs"
                )
        return self

    @model_validator(mode="after")
    def _initializers_fit_activations(self) -> Self:
        """Some initializers need an activation of a kind."""
        wrong = []
        sources = self.sources
        functions = {name: activation(name, sources) for name in self.activation}
        for name in self.initializer:
            made = initializer(name, sources)
            if is_users(made.entry.name) or made.asks_for_activation():
                for label, function in functions.items():
                    try:
                        made.try_with(function)
                    except LabelError as error:
                        wrong.append(f"with {label}, {error}")
        if wrong:
            raise ValueError("; ".join(dict.fromkeys(wrong)))
        return self


class Grid(_Networks):
    """Cells: networks that are pushed through once, forward and backward."""

    probe: ProbeSettings = Field(
        ProbeSettings(), description="settings of this grid alone; what is left out is that of `probe`"
    )

    @property
    def labels(self) -> list[str]:
        """What may be functions and files of one's own."""
        return [*super().labels, self.probe.input]

    @model_validator(mode="after")
    def _pairs_have_room(self) -> Self:
        narrow = any(given_widths(width)[0] == 1 for width in self.width)
        if is_paired(self.probe.input) and narrow and not self.probe.input_width:
            raise ValueError(
                f"{self.probe.input} needs a first layer of at least 2 units, or an input_width of as many"
            )
        return self


class TrainingGrid(_Networks):
    """Training runs. Depth 0 is the linear model."""

    depth: Axis[DepthOrNone] = Field(
        description="hidden layers; 0 is the linear model",
        examples=[[0, 10]],
        json_schema_extra=counted_in("layers"),
    )
    learning_rate: Axis[Positive] = Field(description="of plain gradient descent", examples=[0.1])
    task: TaskSettings = Field(
        TaskSettings(), description="settings of this grid alone; what is left out is that of `training.task`"
    )


class TrainingSettings(Model):
    """The second sweep: networks that are trained. Without grids there is none."""

    grids: list[TrainingGrid] = Field([], description="the runs are the union of these products")
    task: TaskSettings = Field(
        TaskSettings(), description="what every training run does, unless its grid says otherwise"
    )

    @property
    def size(self) -> int:
        """How many points the grids have, before those that are in several are united."""
        return sum(grid.size for grid in self.grids)

    @model_validator(mode="before")
    @classmethod
    def _grids_inherit_the_task(cls, data: Any) -> Any:
        return _inherited(data, "task", TaskSettings)


def _inherited(data: Any, key: str, settings: type[Model]) -> Any:
    """Every grid's settings are the common ones under ``key``, where it does not say otherwise."""
    common = data.get(key) if isinstance(data, dict) else None
    if not isinstance(common, dict) or not isinstance(data.get("grids"), list):
        return data
    try:
        settings.model_validate(common)
    except ValidationError:  # reported once, where it stands, and not again at each grid
        return data
    grids = [
        grid | {key: common | grid.get(key, {})}
        if isinstance(grid, dict) and isinstance(grid.get(key, {}), dict)
        else grid
        for grid in data["grids"]
    ]
    return data | {"grids": grids}


class SweepSettings(Model):
    """How the work is cut. None of it changes a number."""

    block_seconds: Seconds = Field(
        1.0, description="about how long one task computes", json_schema_extra=counted_in("s")
    )
    part_seconds: Seconds = Field(
        10.0, description="finished work is on disk at least so often", json_schema_extra=counted_in("s")
    )
    cell_seconds: CellSeconds | None = Field(
        None,
        description="a cell or run that takes longer fails, and the sweep goes on; null: ten minutes, or a"
        " hundred times the estimate where that is more",
        examples=[60.0],
        json_schema_extra=counted_in("s"),
    )
    max_cells: CellCount = Field(
        1_000_000,
        description="larger grids, and larger training grids, are refused, since they may be a slip",
        json_schema_extra=counted_in("cells, runs"),
    )


class Where(Model):
    """The sections that say where a sweep computes, and where its results go."""

    results: Annotated[str, BeforeValidator(results_folder)] = Field(
        "results",
        min_length=1,
        description="the folder where everything goes; may begin with `~` and have"
        " variables of the environment in it, `$NAME` or `${NAME}`",
    )
    cluster: ClusterSettings = Field(ClusterSettings(), description="where the sweep computes")

    @classmethod
    def of(cls, path: Path) -> Self:
        """These sections of the config in a YAML file, which may lack the others. Raises ConfigError."""
        data, source = _data_in(path)
        if not isinstance(data, dict):
            raise ConfigError(source, [Problem("", "is not a mapping")])
        return valid(cls, {key: data[key] for key in cls.model_fields if key in data}, source)

    def on(self, choice: str) -> Self:
        """The same on another kind of cluster, or on that at another address. Raises ConfigError."""
        changed = valid(Where, {"cluster": chosen(self.cluster, choice)}, f"--cluster {choice}")
        return self.model_copy(update={"cluster": changed.cluster})


class Judging(Where):
    """What is needed to look at results, beside where they are: nobody's code is run to read it."""

    thresholds: Thresholds = Field(Thresholds(), description="where a verdict begins")


class Config(Where):
    """The whole config, checked, labels canonical, every default filled in."""

    grids: list[Grid] = Field(
        description="the cells are the union of these products; `[]` where networks are only trained"
    )
    probe: ProbeSettings = Field(
        ProbeSettings(), description="what every cell does, unless its grid says otherwise"
    )
    training: Annotated[TrainingSettings, BeforeValidator(lambda value: {} if value is None else value)] = (
        Field(TrainingSettings(), description="networks that are trained; without grids there are none")
    )
    thresholds: Thresholds = Field(Thresholds(), description="where a verdict begins")
    sweep: SweepSettings = Field(SweepSettings(), description="how the work is cut")

    @model_validator(mode="before")
    @classmethod
    def _grids_inherit_the_probe(cls, data: Any) -> Any:
        return _inherited(data, "probe", ProbeSettings)

    @model_validator(mode="after")
    def _something_to_compute(self) -> Self:
        if not self.grids and not self.training.grids:
            raise ValueError(
                "there is nothing to compute; give a grid in `grids`, in `training.grids`, or both"
            )
        return self

    @property
    def size(self) -> int:
        """How many points the grids have, before those that are in several are united."""
        return sum(grid.size for grid in self.grids)

    @property
    def too_large(self) -> str | None:
        """Which grids have more points than ``sweep.max_cells``, with the mend; None where none has."""
        named = (("the grids", "cells", self.size), ("the training grids", "runs", self.training.size))
        for what, unit, cells in named:
            if cells > self.sweep.max_cells:
                return (
                    f"{what} have {cells:,} {unit}, more than sweep.max_cells, which is"
                    f" {self.sweep.max_cells:,}; where so many are meant raise it in the config, or give"
                    " `winit plan` --yes"
                )
        return None

    def refusal(self, source: str) -> ConfigError:
        """The error of a config that is too large."""
        return ConfigError(source, [Problem("", self.too_large or "")])

    @property
    def sources(self) -> Sources:
        """Of the user's own functions among all labels, as they are now."""
        return tuple(
            dict.fromkeys(source for grid in (*self.grids, *self.training.grids) for source in grid.sources)
        )

    @classmethod
    def checked(cls, data: Any, source: str, *, any_size: bool = False) -> "Config":
        """``data``, as read from YAML, checked. Raises ConfigError with everything that is wrong.

        That it is ``too_large`` is wrong too, unless ``any_size``.
        """
        if not isinstance(data, dict):
            raise ConfigError(source, [Problem("", "is not a mapping with the key 'grids'")])
        check_extent(data, source)
        config = valid(cls, data, source)
        if config.too_large and not any_size:
            raise config.refusal(source)
        return config

    @classmethod
    def read(cls, path: Path | None, *, any_size: bool = False) -> "Config":
        """The config in a YAML file, or in standard input where ``path`` is None.

        Raises ConfigError where it cannot be read or is wrong.

        That it is ``too_large`` is wrong too, unless ``any_size``.
        """
        data, source = _data_in(path)
        announce(data)
        return cls.checked(data, source, any_size=any_size)

    def to_yaml(self) -> str:
        """The canonical text: the same for every spelling of one config."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _data_in(path: Path | None) -> tuple[Any, str]:
    """As ``read_yaml``. The config of a results folder is that of the folder which it lies in now.

    A folder may have been moved, or copied, or come from somebody else: what is made anew there must not be
    made in another one that happens to have the old name.
    """
    data, source = read_yaml(path)
    if path is None or not isinstance(data, dict) or Results(path.parent).config != path:
        return data, source
    lies, says = path.parent, str(data.get("results"))
    # One that was edited means what it says: it has another first line, or none that speaks of winit.
    ours = "winit" in path.read_text("utf-8").partition("\n")[0]
    if ours and Results(lies).plan.exists() and not _same(lies, Path(says)):
        data["results"] = str(lies if lies.name else lies.absolute())
        said = f"winit: {path} says results: {quoted(says)}; it lies in {lies}, and that is meant"
        print(visible(said), file=sys.stderr)  # noqa: T201
    return data, source


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.expanduser().resolve()


Section = TypeVar("Section", bound=Model)


def valid(model: type[Section], data: Any, source: str) -> Section:
    """``data`` as a ``model``. Raises ConfigError with everything that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        listed = error.errors(include_url=False)[:MOST_PROBLEMS]
        problems = [problem_of(details, _known_keys) for details in listed]
        raise ConfigError(source, problems, error.error_count() - len(problems)) from None


# By the last keys on the way there.
_SECTIONS: dict[tuple[str, ...], type[BaseModel]] = {
    ("training", "grids"): TrainingGrid,
    ("grids",): Grid,
    ("seed",): SeedRange,
    ("probe",): ProbeSettings,
    ("task",): TaskSettings,
    ("training",): TrainingSettings,
    ("thresholds",): Thresholds,
    ("sweep",): SweepSettings,
    ("batch",): BatchSettings,
    ("tls",): TlsSettings,
    ("cluster",): ClusterSettings,
    (): Config,
}


def _known_keys(location: Location) -> list[str]:
    """The keys allowed where ``location`` points."""
    way = tuple(step for step in location[:-1] if isinstance(step, str))
    return next(
        list(model.model_fields) for keys, model in _SECTIONS.items() if way[len(way) - len(keys) :] == keys
    )
