"""A line of the catalogue of activations."""

from collections.abc import Callable
from dataclasses import dataclass

from winit.network.arrays import Array

Pair = tuple[Array, Array]


def _none(**_: object) -> tuple[float, ...]:
    return ()


def _no_period(**_: object) -> float | None:
    return None


@dataclass(frozen=True)
class Entry:
    """An activation: ``function`` takes z and the label's arguments and gives (φ(z), φ'(z)).

    Both are new arrays of the shape and dtype of z.
    """

    name: str
    function: Callable[..., Pair]
    formula: str
    source: str
    frameworks: tuple[str, ...] = ()
    """Where it is found, and under which name: ``torch.nn.ReLU``, ``jax.nn.relu``, …"""
    bounds: tuple[float, float] | None = None
    """The values that φ cannot leave, None where unbounded."""
    kinks: Callable[..., tuple[float, ...]] = _none
    """From the arguments to the places where φ or one of its derivatives jumps, in ascending order."""
    period: Callable[..., float | None] = _no_period
    """From the arguments to the period of φ, None where it has none."""
    aliases: tuple[str, ...] = ()
    """Other names for the same; the canonical label has ``name``."""
    example: str = ""
    """A label with every argument that has no default."""

    anew: Callable[[], Callable[..., Pair]] | None = None
    """Of a user's own: ``function``, as another process would have it."""

    @property
    def label(self) -> str:
        """A label of this entry that is complete."""
        return self.example or self.name
