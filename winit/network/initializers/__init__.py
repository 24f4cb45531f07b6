"""The catalogue of initializers.

An initializer is a function from a layer (and its own arguments) to a ``Law``, where the weights are
independent and identically distributed, or to the weights themselves; with a bias of its own, to both.
The kernel is y = x W, so that W has shape (fan_in, fan_out). To add one, write the function and its entry in
one of the modules beside this one; the config check, the catalogue and the tests follow from the entry. A
user's own is ``path/to/file.py:function``.
"""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np

from winit.errors import RaisedError
from winit.network import labels, lookup, sources
from winit.network.activations import Activation, activation
from winit.network.arrays import PLAIN_ARRAYS, Array
from winit.network.draws import Draws
from winit.network.guard import TRIAL_SECONDS, guarded
from winit.network.initializers import frameworks, matrices, papers
from winit.network.initializers.entry import Entry, Law, Layer, Made, Matrix, Weights, WithBias
from winit.network.labels import LabelError
from winit.network.sources import Sources
from winit.network.trials import check_same

__all__ = [
    "INITIALIZERS",
    "Entry",
    "Initializer",
    "Law",
    "Layer",
    "Matrix",
    "Weights",
    "WithBias",
    "initializer",
    "trial_layer",
]

INITIALIZERS: dict[str, Entry] = {
    entry.name: entry for entry in (*papers.ENTRIES, *matrices.ENTRIES, *frameworks.ENTRIES)
}
_NAMES = labels.with_aliases(INITIALIZERS)

_RANDOM_MEND = (
    "take random numbers from layer.generator, or from one that is made with a fixed seed in each call"
)


@dataclass(frozen=True)
class Initializer:
    """A catalogue entry with its arguments; ``label`` is canonical."""

    label: str
    entry: Entry
    arguments: tuple[tuple[str, labels.Value], ...]

    def laws(self, layer: Layer) -> tuple[Law, Law | None] | None:
        """The laws of W and, where it has one of its own, of b; None where they are not i.i.d."""
        weights, bias = self._made(layer)
        if not isinstance(weights, Law) or not (bias is None or isinstance(bias, Law)):
            return None
        return weights, bias

    @property
    def is_iid(self) -> bool:
        """Whether the weights of a layer are independent and identically distributed."""
        return self.is_iid_with(activation("identity"))

    def is_iid_with(self, function: Activation) -> bool:
        """The same, in a network with this activation; what is raised counts as no."""
        return self.law_with(function) is not None

    def law_with(self, function: Activation) -> Law | None:
        """The law of the weights of a small layer with this activation.

        None where W and b are not both i.i.d., or where something is raised.
        """
        try:
            with guarded(self.label, TRIAL_SECONDS, self.entry.function):
                laws = self.laws(trial_layer(function))
        except (LabelError, RaisedError):  # it may refuse this activation
            return None
        return laws and laws[0]

    def parameters(self, layer: Layer) -> tuple[Array, Array | None]:
        """W, shape (fan_in, fan_out), and b, shape (fan_out,), where the initializer has its own.

        Both are in the layer's dtype. Raises LabelError where a user's own function gives anything else.
        """
        weights, bias = self.weights(layer)
        return weights.array, bias

    def weights(self, layer: Layer) -> tuple[Weights, Array | None]:
        """The same, where W may be a scale and the standard draw that other networks are drawn from, too."""
        weights, bias = self._made(layer)
        try:
            return layer.weights(weights), None if bias is None else layer.draw(bias, "bias")
        except LabelError as error:
            raise LabelError(f"{self.label} {error}") from None

    def try_with(self, function: Activation) -> None:
        """Make the weights of a small layer. Raises LabelError, with the mend, where that fails.

        Of a user's own so too where they are others when they are made again. Weights of one network are not
        tried with another.
        """
        anew = self.entry.anew
        if self.entry.of_one_network:
            return
        if anew is None:
            _tried(self, function)
            return
        check_same(
            self.label,
            _RANDOM_MEND,
            lambda: _tried(self, function),
            lambda: _tried(replace(self, entry=replace(self.entry, function=anew())), function),
        )

    def asks_for_activation(self) -> bool:
        """Whether the weights of a small layer are made with a look at its activation, or cannot be made."""
        watched = _Watched(activation("identity"))
        try:
            self.try_with(cast("Activation", watched))
        except LabelError:
            return True
        return watched.asked

    def _made(self, layer: Layer) -> tuple[Law | Array, Law | Array | None]:
        users = sources.is_users(self.entry.name)
        try:
            made: Made = self.entry.function(layer.for_users() if users else layer, **dict(self.arguments))
        except LabelError as error:
            raise LabelError(f"{self.label}: {error}") from None
        weights, bias = (made.weights, made.bias) if isinstance(made, WithBias) else (made, None)
        return (_owned(weights), _owned(bias)) if users else (weights, bias)


def _tried(found: Initializer, function: Activation) -> list[Array]:
    """W and b of a small layer. Raises LabelError with what was raised instead."""
    try:
        with guarded(found.label, TRIAL_SECONDS, found.entry.function), sources.speaking_aside():
            weights, bias = found.parameters(trial_layer(function))
    except RaisedError as error:
        raise LabelError(f"{found.label} {error.deed}") from error
    return [weights] if bias is None else [weights, bias]


def _owned(made: Any) -> Any:
    """A copy where a user's function gave an array: it may give that one again, with other numbers in it.

    In C's order, so that the bits of what is multiplied with it depend on the numbers alone.
    """
    return np.array(made, order="C") if type(made) in PLAIN_ARRAYS else made


class _Watched:
    """An activation that knows whether anybody asked it for something."""

    def __init__(self, function: Activation) -> None:
        self.asked = False
        self._function = function

    def __getattr__(self, name: str) -> Any:
        self.asked = True
        return getattr(self._function, name)

    def __call__(self, z: Any) -> Any:
        self.asked = True
        return self._function(z)


@lru_cache(maxsize=1024)
def initializer(label: str, at_hand: Sources = ()) -> Initializer:
    """The initializer that ``label`` names; ``at_hand`` has the sources of the user's own.

    Raises LabelError, with the mend, where there is none or its arguments do not fit.
    """

    def users(name: str) -> Entry:
        # What such a function looks at is not known: it may be the depth.
        anew = partial(sources.function_anew, name, at_hand)
        alone = sources.is_of_one_network(name, at_hand)
        function = sources.function_of(name, at_hand)
        return Entry(name, function, "", "", by_depth=True, of_one_network=alone, anew=anew)

    try:
        with guarded(label):  # its default arguments are anybody's objects
            found = Initializer(*lookup.resolve("initializer", label, _NAMES, users))
    except RaisedError as error:
        raise LabelError(str(error)) from error
    if not sources.is_users(found.entry.name):
        # Values out of range show themselves now; what depends on the activation does in ``try_with``.
        found.try_with(activation("identity"))
    return found


def trial_layer(function: Activation, shape: tuple[int, int] = (16, 12), dtype: str = "float32") -> Layer:
    """A small layer: before anything runs it shows what is wrong with an initializer, and what it takes."""
    draws = Draws(0)
    inputs = draws.standard("normal", "input", 0, (24, shape[0])).values.astype(dtype, copy=False)
    return Layer(*shape, 1, 2, function, draws, np.dtype(dtype), inputs)
