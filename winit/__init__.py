"""winit: a distributed laboratory for weight initialization."""

from winit.api import open_results, simulate
from winit.errors import WinitError

__all__ = ["WinitError", "open_results", "simulate"]
