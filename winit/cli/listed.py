"""The catalogue in the terminal."""

from collections.abc import Mapping
from typing import Any

import click

from winit.cli.group import Command
from winit.errors import WinitError


@click.command(cls=Command, example="winit initializers torch")
@click.argument("part", default="")
def initializers(part: str) -> None:
    """List the initializers with PART in their names.

    Names of other libraries, such as HeNormal and nn.ReLU, count too.

    Of each its arguments, its law, its source, and where else it is found.
    """
    from winit.network.initializers import INITIALIZERS

    _catalogue("initializer", part, INITIALIZERS)


@click.command(cls=Command, example="winit activations elu")
@click.argument("part", default="")
def activations(part: str) -> None:
    """List the activations with PART in their names.

    Names of other libraries, such as HeNormal and nn.ReLU, count too.

    Of each its arguments, its formula, its source, and where else it is found.
    """
    from winit.network.activations import ACTIVATIONS

    _catalogue("activation", part, ACTIVATIONS)


def _catalogue(kind: str, part: str, catalogue: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from winit.network.labels import LabelError, signature_of
    from winit.network.lookup import matching

    try:
        entries = matching(kind, part, catalogue)
    except LabelError as error:
        raise WinitError(str(error)) from None
    console = Console()
    for entry in entries:
        console.print(Text(signature_of(entry.name, entry.function), "bold"))
        elsewhere = [f"alias {alias}" for alias in entry.aliases] + list(entry.frameworks)
        for line in (entry.formula, entry.source, ", ".join(elsewhere)):
            if line:
                console.print(Padding(Text(line), (0, 0, 0, 4)))


COMMANDS = (initializers, activations)
