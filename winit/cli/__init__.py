"""The commands: each step of the workflow is one, and there are ways to look at what it made.

Modules are imported when a command needs them, so that each starts at once.
"""

from winit.cli import ask, completion, cost, listed, looks, steps
from winit.cli.group import main

__all__ = ["main"]

main.add_section("What there is", listed.COMMANDS)
main.add_section("One network, now", looks.COMMANDS)
main.add_section("What a run takes", cost.COMMANDS)
main.add_section("What was found", ask.COMMANDS)
main.add_section("The steps of a run", steps.COMMANDS)
main.add_section("The shell", completion.COMMANDS)
