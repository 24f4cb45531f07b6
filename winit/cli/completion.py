"""Completion by the Tab key."""

import click

from winit.cli.group import Command, main


@click.command(cls=Command, example="winit completion bash")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    r"""Print what makes the Tab key complete commands and names.

    To have it in every new shell:

    \b
      bash  echo 'eval "$(winit completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(winit completion zsh)"' >> ~/.zshrc   (after compinit)
      fish  winit completion fish > ~/.config/fish/completions/winit.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "winit", "_WINIT_COMPLETE").source())


COMMANDS = (completion,)
