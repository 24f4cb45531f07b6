"""The catalogue of activations.

An activation is a function from the pre-activation z (and its own arguments) to the pair
(φ(z), φ'(z)), both new arrays of the shape and dtype of z. Returning both lets them share their
costly part, and is all that the forward pass, the backward pass and the theory need. At a kink the
derivative is what the frameworks take; each formula says which. To add one, write the function and
its entry in one of the modules beside this one; a user's own is ``path/to/file.py:function``.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from winit.errors import RaisedError
from winit.network import labels, lookup, sources
from winit.network.activations import piecewise, smooth
from winit.network.activations.elementwise import PARTS, check_elementwise
from winit.network.activations.entry import Entry, Pair
from winit.network.activations.slopes import check_slopes
from winit.network.arrays import PLAIN_ARRAYS, Array
from winit.network.guard import TRIAL_SECONDS, guarded
from winit.network.labels import LabelError
from winit.network.sources import Sources
from winit.network.trials import check_same

__all__ = [
    "ACTIVATIONS",
    "UNBOUNDED_RANGE",
    "Activation",
    "Entry",
    "Pair",
    "activation",
    "can_die",
    "histogram_range",
]

ACTIVATIONS: dict[str, Entry] = {entry.name: entry for entry in (*smooth.ENTRIES, *piecewise.ENTRIES)}
_NAMES = labels.with_aliases(ACTIVATIONS)

# Histograms of an unbounded activation cover this range.
UNBOUNDED_RANGE = (-4.0, 4.0)
# Every activation is tried here before anything starts.
_TRIAL = np.array([[-10.0, -1.5, -0.3], [0.0, 0.01, 0.7], [1.0, 2.5, 10.0]])
_SAME_MEND = "an activation is a function of z alone: take no random numbers, and keep nothing between calls"


@dataclass(frozen=True)
class Activation:
    """A catalogue entry with its arguments; ``label`` is canonical."""

    label: str
    entry: Entry
    arguments: tuple[tuple[str, labels.Value], ...]

    def __call__(self, z: Array) -> Pair:
        """φ(z) and φ'(z)."""
        return self.entry.function(z, **dict(self.arguments))

    def try_out(self) -> None:
        """Raise LabelError, with the mend, where a user's own is no activation.

        It must give the same whenever and wherever it is called, take each entry of z by itself, and, unless
        it has an attribute ``surrogate`` that is true, φ' must be the derivative of φ.
        """
        anew = self.entry.anew
        if anew is None:
            return
        elsewhere = _at(_TRIAL, lambda: replace(self, entry=replace(self.entry, function=anew())))
        check_same(self.label, _SAME_MEND, _at(_TRIAL, lambda: self), elsewhere)
        call = functools.partial(_tried, self)
        check_elementwise(self.label, call)
        if not getattr(self.entry.function, "surrogate", False):
            check_slopes(self.label, call)

    @cached_property
    def largest_derivative(self) -> float:
        """max |φ'(z)| over |z| ≤ 10, from 20,001 points."""
        return float(np.abs(self(np.linspace(-10.0, 10.0, 20_001))[1]).max())

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where φ or one of its derivatives jumps; of a user's own function nothing is known."""
        return self.entry.kinks(**dict(self.arguments))

    @property
    def period(self) -> float | None:
        """The period of φ, None where it has none."""
        return self.entry.period(**dict(self.arguments))


@lru_cache(maxsize=1024)
def histogram_range(label: str) -> tuple[float, float]:
    """What the histogram of h covers: the activation's own range, (−4, 4) where unbounded."""
    entry = ACTIVATIONS.get(labels.parse(label).name)
    return UNBOUNDED_RANGE if entry is None or entry.bounds is None else entry.bounds


@lru_cache(maxsize=1024)
def can_die(label: str) -> bool:
    """Whether φ' is exactly 0 on an interval, as relu's below 0; of a user's own, whether it may be.

    Of others a slope of 0 is a tiny one that was rounded.
    """
    if sources.is_users(labels.parse(label).name):
        return True
    found = activation(label)
    if not found.kinks:
        return False
    ends = np.array([found.kinks[0] - 3.0, *found.kinks, found.kinks[-1] + 3.0])
    within = ends[:-1] + np.diff(ends) * np.array([[1 / 3], [2 / 3]])  # two places of each interval
    return bool((found(within)[1] == 0).all(axis=0).any())


@lru_cache(maxsize=1024)
def activation(label: str, at_hand: Sources = ()) -> Activation:
    """The activation that ``label`` names; ``at_hand`` has the sources of the user's own.

    Raises LabelError, with the mend, where there is none, its arguments do not fit, or a user's own
    function does not give what it should.
    """

    def users(name: str) -> Entry:
        def anew() -> Callable[..., Pair]:
            return _checked(name, sources.function_anew(name, at_hand))

        return Entry(name, _checked(name, sources.function_of(name, at_hand)), "", "", anew=anew)

    try:
        with guarded(label):  # its default arguments are anybody's objects
            found = Activation(*lookup.resolve("activation", label, _NAMES, users))
    except RaisedError as error:
        raise LabelError(str(error)) from error
    _try(found)
    return found


def _checked(name: str, function: Callable[..., Any]) -> Callable[..., Pair]:
    """``function``, but a LabelError where it gives anything else than (φ, φ') of z's shape and dtype.

    It is always given z of shape (batch, units), as in a network; of a stack, one network after the other.
    That z is its own, to write to as it likes; what it gives is copied, since it may give one buffer again
    and again, one array for both, or z itself.
    """

    def given(z: Array, arguments: dict[str, Any]) -> Pair:
        pair = function(z.copy(), **arguments)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise LabelError(f"{name} must return the pair (φ(z), φ'(z)), not {_described(pair)}")
        for part, value in zip(PARTS, pair, strict=True):
            if type(value) not in PLAIN_ARRAYS or value.shape != z.shape or value.dtype != z.dtype:
                raise LabelError(
                    f"{name}: {part}(z) is {_described(value)}; it must have the shape and dtype of z,"
                    f" here {z.shape} and {z.dtype}"
                )
        return pair

    @functools.wraps(function)
    def checked(z: Array, **arguments: Any) -> Pair:
        networks = z if z.ndim == 3 else z.reshape(1, *(z.shape if z.ndim == 2 else (1, z.size)))
        h, derivative = np.empty_like(networks, order="C"), np.empty_like(networks, order="C")
        for k, network in enumerate(networks):
            h[k], derivative[k] = given(network, arguments)
        return h.reshape(z.shape), derivative.reshape(z.shape)

    return checked


def _described(value: Any) -> str:
    if type(value) in PLAIN_ARRAYS:
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return f"a {type(value).__name__}"


def _try(found: Activation) -> None:
    """Call it once for each dtype. Raises LabelError where that fails, or an argument is out of range."""
    for z in (_TRIAL.astype(np.float32), _TRIAL):
        for part, value in zip(PARTS, _tried(found, z), strict=True):
            if not np.isfinite(value).all():
                where = z[~np.isfinite(value)][0]
                raise LabelError(f"{found.label}: {part}(z) is not finite at z = {where:g}")


def _tried(found: Activation, z: Array) -> Pair:
    """What it gives. Raises LabelError with what it raised instead."""
    try:
        with guarded(found.label, TRIAL_SECONDS, found.entry.function), sources.speaking_aside():
            return found(z)
    except RaisedError as error:
        where = "" if z.shape == _TRIAL.shape else f", for z of shape {z.shape}"
        raise LabelError(f"{found.label} {error.deed}{where}") from error


def _at(z: Array, of: Callable[[], Activation]) -> Callable[[], Pair]:
    return lambda: _tried(of(), z)
