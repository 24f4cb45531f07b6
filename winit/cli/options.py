"""Options that several commands share, and what they complete to."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winit.errors import quoted

if TYPE_CHECKING:
    from winit.sweep.config import Config
    from winit.sweep.layout import Results

KINDS = ("local", "slurm", "pbs", "sge", "lsf", "htcondor", "address")


def completing(names: Callable[[], Iterable[str]]) -> Callable[..., list[str]]:
    """What click takes as ``shell_complete``: of ``names``, those that begin as typed."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
        return [name for name in names() if name.startswith(typed)]

    return complete


def initializer_names() -> Iterable[str]:
    """All names in the catalogue, aliases too."""
    from winit.network.initializers import INITIALIZERS
    from winit.network.labels import with_aliases

    return with_aliases(INITIALIZERS)


def activation_names() -> Iterable[str]:
    """Likewise."""
    from winit.network.activations import ACTIVATIONS
    from winit.network.labels import with_aliases

    return with_aliases(ACTIVATIONS)


def input_names() -> Iterable[str]:
    """What examples there are."""
    from winit.network.inputs import INPUTS

    return INPUTS


class PathType(click.Path):
    """A path, as a shell would have it also where quotation marks kept the shell from it."""

    def __init__(self, **bounds: Any) -> None:
        super().__init__(path_type=Path, **bounds)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As in a config, but for what is there under the very name."""
        from winit.sweep.folders import expanded

        if isinstance(value, str) and not os.path.lexists(value):
            try:
                value = expanded(value)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)


class _Written:
    """A number as people write it: ``1e3``, ``2**10``, ``1/32``."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        from winit.network.arithmetic import ExpressionError, real_in, whole_in

        whole = not isinstance(self, click.types.FloatParamType)
        if isinstance(value, str):
            try:
                value = whole_in(value) if whole else real_in(value)
            except ExpressionError as error:
                raise click.BadParameter(f"{quoted(value)} {error}", context, param) from None
        return super().convert(value, param, context)  # type: ignore[misc]


class Whole(_Written, click.types.IntParamType):
    """A whole number."""


class WholeRange(_Written, click.IntRange):
    """A whole number within bounds."""


class Real(_Written, click.types.FloatParamType):
    """A number."""


config_option = click.option(
    "--config",
    "config_file",
    type=PathType(dir_okay=False),
    default=Path("config/default.yaml"),
    show_default=True,
    help="The YAML file that holds the grid.",
)

results_option = click.option(
    "--results",
    "folder",
    type=PathType(file_okay=False),
    default=Path("results"),
    show_default=True,
    help="The results folder.",
)

threads_option = click.option(
    "--threads",
    type=WholeRange(0, 1_000_000),
    default=0,
    help="Workers on this machine.  [default: one for each core]",
)

cluster_option = click.option(
    "--cluster",
    metavar="KIND",
    shell_complete=completing(lambda: KINDS),
    help=f"{', '.join(KINDS)}, or an address.  [default: as in the config]",
)


def opened(config_file: Path, cluster: str | None = None) -> "tuple[Config, Results]":
    """The config of a file, perhaps on another cluster, and its results folder."""
    from winit.sweep.config import Config
    from winit.sweep.layout import Results

    # That it may be large is asked where it is planned; the other steps do what the plan says.
    config = Config.read(config_file, any_size=True)
    if cluster is not None:
        config = config.on(cluster)
    results = Results(Path(config.results))
    results.refuse_links()
    return config, results


def results_in(folder: Path) -> "Results":
    """The results folder of a step that writes to it."""
    from winit.sweep.layout import Results

    results = Results(folder)
    results.refuse_links()
    return results
