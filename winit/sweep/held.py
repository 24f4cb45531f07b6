"""Functions and arrays of whoever calls ``winit.simulate``: held under a name, as if they were in a file.

They last as long as the call, and no other process has them.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from winit.network.arrays import Array
from winit.network.labels import LabelError
from winit.network.sources import Given
from winit.sweep.data import flat

FUNCTIONS, ARRAY = "here", "here.npy"
"""What stands for them in a label: ``here:swish``, ``here.npy``."""


@dataclass(frozen=True, eq=False)
class HeldArray:
    """Examples, as if they were in a file of arrays."""

    values: Array
    """shape (examples, width)"""
    name: str = ARRAY

    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for the content."""
        return hashlib.blake2b(self.values.tobytes(), digest_size=8).hexdigest()

    def array(self, name: str) -> Array:
        """The one array. Raises LabelError where another one is asked for by its name."""
        if name:
            raise LabelError(f"{self.name} is one array, without a name; leave out array={name}")
        return self.values


_held: ContextVar[Mapping[str, Given | HeldArray]] = ContextVar("held", default=MappingProxyType({}))


@contextmanager
def holding(functions: Mapping[str, Callable[..., Any]], one_network: str, examples: Any) -> Iterator[None]:
    """Within, functions are ``here:NAME``, and examples ``here.npy``.

    ``one_network`` is the name of the function that has the weights of one network alone, "" where there is
    none. Raises LabelError where ``examples``, unless None, are none.
    """
    texts = "\0".join(f"{name}\0{_text(function)}" for name, function in functions.items())
    digest = hashlib.blake2b(texts.encode(), digest_size=8).hexdigest()
    there: dict[str, Given | HeldArray] = {}
    if functions:
        there[FUNCTIONS] = Given(FUNCTIONS, digest, functions, one_network)
    if examples is not None:
        there[ARRAY] = HeldArray(flat(np.array(examples), "input"))
    before = _held.set(there)
    try:
        yield
    finally:
        _held.reset(before)


def held(name: str) -> Given | HeldArray | None:
    """What is held under the name of a source; None where nothing is."""
    return _held.get().get(name)


def _text(function: Callable[..., Any]) -> str:
    """What tells a function from another one: its text, where it has one."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return repr(function)
