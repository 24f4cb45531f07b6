"""The group of all commands: errors that a user can mend become one line and an exit code."""

import codecs
import errno
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from winit.cli.signs import plain_signs
from winit.errors import WinitError
from winit.signals import Terminated, leave_when_told
from winit.visible import visible

_DEBUG = "winit.debug"
_LONGEST = 500


def _remember(context: click.Context, _: click.Parameter, debug: bool) -> None:
    # One mapping for the group and its commands: the option may stand before a command's name or after it.
    context.meta[_DEBUG] = debug or context.meta.get(_DEBUG, False)


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Show the traceback of an error.",
    )


@contextmanager
def _visible_refusals() -> Iterator[None]:
    """What click says of arguments that it refuses has them in it as they are."""
    try:
        yield
    except click.UsageError as error:
        said = error.format_message()
        if said == visible(said, lines=True):
            raise
        raise click.UsageError(visible(said, lines=True), error.ctx) from None


class Command(click.Command):
    """A command that takes ``--debug``. ``example`` ends its help, and is a line that runs."""

    def __init__(self, name: str, *, example: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        lines = [f"  {line}" for line in example.splitlines()]
        # \b keeps click from wrapping what is to be copied.
        self.epilog = "\n".join(["\b", "Example:", *lines])
        self.example = example
        self.params.append(_debug_option())


class _Group(click.Group):
    """Lists its commands by what they are for, in the order in which they are needed."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._sections: dict[str, Sequence[click.Command]] = {}

    def add_section(self, title: str, commands: Sequence[click.Command]) -> None:
        """Add commands that are for one thing."""
        self._sections[title] = commands
        for command in commands:
            self.add_command(command)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        room = formatter.width - 6 - max(map(len, self.commands))
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(str(command.name), command.get_short_help_str(room)) for command in commands]
                )

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with _visible_refusals():
            return super().make_context(*arguments, **settings)

    def invoke(self, context: click.Context) -> Any:
        try:
            with _visible_refusals():
                return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("winit: stopped; what is finished is kept, the same command goes on", err=True)
            context.exit(130)
        except Terminated as error:
            click.echo(visible(f"winit: {error}", lines=True), err=True)
            context.exit(error.exit_code)
        except click.UsageError as error:
            # Of what was typed no more is repeated than some lines.
            if len(error.message) <= _LONGEST:
                raise
            raise click.UsageError(f"{error.message[:_LONGEST]}…", error.ctx) from None
        except (WinitError, OSError) as error:
            if context.meta[_DEBUG]:
                raise
            full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
            mend = "; make room; what is finished is kept, the same command goes on" if full else ""
            click.echo(visible(f"winit: {error}{mend}", lines=True), err=True)
            context.exit(error.exit_code if isinstance(error, WinitError) else 1)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[_debug_option()],
    epilog="\b\nExample:\n  winit simulate he_normal relu --depth 50 --width 512",
)
@click.version_option(package_name="winit")
def main() -> None:
    """Measure what weight initializers do, layer by layer.

    The whole job is `snakemake --cores all`; the commands are its steps, and ways to look at results.
    """
    # A terminal that lacks a sign gets another one, not a traceback.
    codecs.register_error("plain signs", plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain signs")
    leave_when_told()
    from winit.sweep.machine import one_thread_each  # --help needs none of it

    one_thread_each()
