"""``python -m winit``: the commands."""

from winit.cli import main

main()
