"""Functions and arrays of whoever calls ``winit.simulate``: held under a name, as if they were in a file.

They last as long as the call, and no other process has them.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from winit.network.activations import activation
from winit.network.arrays import Array
from winit.network.initializers import WithBias, initializer
from winit.network.inputs import input_of
from winit.network.labels import LabelError
from winit.network.sources import Given
from winit.sweep.costs import activation_arrays, making

FUNCTIONS, ARRAY = "here", "here.npy"
"""What stands for them in a label: ``here:swish``, ``here.npy``."""
WEIGHTS = "weights"
"""The name of the function that has the weights of one network."""


@dataclass(frozen=True, eq=False)
class HeldArray:
    """Examples, as if they were in a file of arrays."""

    values: Array
    """shape (examples, width)"""
    name: str = ARRAY

    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for the content."""
        return _digest([self.values])

    def array(self, name: str) -> Array:
        """The one array. Raises LabelError where another one is asked for by its name."""
        if name:
            raise LabelError(f"{self.name} is one array, without a name; leave out array={name}")
        return self.values


_held: ContextVar[Mapping[str, Given | HeldArray]] = ContextVar("held", default=MappingProxyType({}))


@contextmanager
def holding(
    functions: Mapping[str, Callable[..., Any]],
    weights: Sequence[Array | WithBias] = (),
    examples: Array | None = None,
) -> Iterator[None]:
    """Within, functions are ``here:NAME``, and examples, of shape (examples, width), ``here.npy``.

    ``weights`` are those that the function ``WEIGHTS`` gives, if it is among them: no other layer has them.
    """
    there: dict[str, Given | HeldArray] = {}
    if functions:
        # What a function does depends on more than its text: each call's are others, but for weights alone.
        alone = weights and len(functions) == 1
        digest = _digest(_arrays(weights)) if alone else secrets.token_hex(8)
        there[FUNCTIONS] = Given(FUNCTIONS, digest, functions, WEIGHTS if weights else "")
    if examples is not None:
        there[ARRAY] = HeldArray(examples)
    before = _held.set(there)
    try:
        yield
    finally:
        _held.reset(before)
        if there:  # else they would keep what is held
            for cache in (initializer, activation, input_of, making, activation_arrays):
                cache.cache_clear()


def held(name: str) -> Given | HeldArray | None:
    """What is held under the name of a source; None where nothing is."""
    return _held.get().get(name)


def _arrays(weights: Sequence[Array | WithBias]) -> Iterator[Array]:
    for part in weights:
        for array in (part.weights, part.bias) if isinstance(part, WithBias) else (part,):
            yield np.asarray(array)


def _digest(arrays: Iterable[Any]) -> str:
    found = hashlib.blake2b(digest_size=8)
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()
