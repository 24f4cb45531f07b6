"""What an activation's arguments may be, beyond their kind."""

from winit.network.labels import LabelError


def require(allowed: bool, argument: str, value: float, wanted: str) -> None:
    """LabelError unless ``allowed``; ``argument`` is named with its activation: ``celu: alpha``."""
    if not allowed:
        raise LabelError(f"{argument} is {value}; it must be {wanted}")
