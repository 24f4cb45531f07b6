"""The catalogue in the terminal."""

from collections.abc import Iterable
from typing import Any

import click

from winit.cli.group import Command


@click.command(cls=Command, example="winit initializers torch")
@click.argument("part", default="")
def initializers(part: str) -> None:
    """List the initializers with PART in their names.

    Of each its arguments, its law, its source, and where else it is found.
    """
    from winit.network.initializers import INITIALIZERS

    _catalogue(INITIALIZERS.values(), part)


@click.command(cls=Command, example="winit activations elu")
@click.argument("part", default="")
def activations(part: str) -> None:
    """List the activations with PART in their names.

    Of each its arguments, its formula, its source, and where else it is found.
    """
    from winit.network.activations import ACTIVATIONS

    _catalogue(ACTIVATIONS.values(), part)


def _catalogue(entries: Iterable[Any], part: str) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from winit.network.labels import signature_of

    console = Console()
    for entry in entries:
        if part in " ".join([entry.name, *entry.aliases]):
            console.print(Text(signature_of(entry.name, entry.function), "bold"))
            elsewhere = [f"alias {alias}" for alias in entry.aliases] + list(entry.frameworks)
            for line in (entry.formula, entry.source, ", ".join(elsewhere)):
                if line:
                    console.print(Padding(Text(line), (0, 0, 0, 4)))


COMMANDS = (initializers, activations)
