"""winit: a distributed laboratory for weight initialization."""

from typing import TYPE_CHECKING, Any

from winit.api import critical_sigma_w, open_cluster, open_results, phase_diagram, simulate, theory
from winit.errors import WinitError

if TYPE_CHECKING:
    from winit.network.initializers import Law, Layer, WithBias

__all__ = [
    "Law",
    "Layer",
    "WinitError",
    "WithBias",
    "critical_sigma_w",
    "open_cluster",
    "open_results",
    "phase_diagram",
    "simulate",
    "theory",
]

_OF_INITIALIZERS = ("Law", "Layer", "WithBias")


def __getattr__(name: str) -> Any:
    """What a user's own initializer needs; loaded when it is asked for, so that commands start at once."""
    if name in _OF_INITIALIZERS:
        from winit.network import initializers

        return getattr(initializers, name)
    raise AttributeError(f"module 'winit' has no attribute {name!r}")
