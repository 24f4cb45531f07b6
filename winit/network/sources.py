"""A user's own functions, ``path/to/file.py:function`` and ``package.module:function``, and files of arrays.

The source of a function travels as text, from the plan to every worker, so that what is computed is what was
planned, wherever that happens; its digest is part of the cell's identity. So is that of a file of arrays,
which stays where it is.
"""

import builtins
import contextlib
import hashlib
import re
import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

from winit.errors import RaisedError
from winit.network import elsewhere
from winit.network.arrays import Array
from winit.network.beside import Beside, Neighbours, remember
from winit.network.guard import IMPORT_SECONDS, guarded, guarding
from winit.network.guests import as_guest, kept_out
from winit.network.labels import LabelError, parse, suggestion


@dataclass(frozen=True)
class Source:
    """The text of a file or module. ``name`` is what stands before the colon of a label."""

    name: str
    text: str
    package: str = ""
    """The package that a module is part of, so that it may import its neighbours; "" for a file."""

    beside: Beside = ()
    """Of a file, the modules in its folder that it imports."""
    unseen: tuple[str, ...] = field(default=(), compare=False)
    """The names of other modules there, so that it can be said why they are not found."""

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits that stand for the text, and those of the modules beside it."""
        parts = [self.text, *(part for module in self.beside for part in module)]
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()

    @property
    def is_file(self) -> bool:
        """Whether ``name`` is that of a file, and not of a module."""
        return self.name.endswith(".py")


class Data(Protocol):
    """A file of arrays. ``name`` is that of a label."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for the content."""

    def array(self, name: str) -> Array:
        """The array of that name, "" where there is but one, shape (examples, width); perhaps on the disk.

        Raises LabelError, with the mend, where there is none, or its numbers are not finite.
        """

    def __hash__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Given:
    """Functions that somebody gave, and not their text."""

    name: str
    """What stands before the colon of a label."""
    digest: str
    functions: Mapping[str, Callable[..., Any]]
    """By what stands behind it."""
    one_network: str = ""
    """Which of them has the weights of one network alone, and of no other layer."""


Sources = tuple[Source | Given | Data, ...]

_CLOCK = re.compile(r"^\s*(import|from)\b.*\b(time|datetime)\b", re.MULTILINE)
_TICK_SECONDS = 1.1  # seeds are made of whole seconds now and then


def is_users(name: str) -> bool:
    """Whether a label's name is that of a user's own function."""
    return ":" in name


def is_data(name: str) -> bool:
    """Whether a label's name is that of a file of arrays."""
    return name.endswith((".npy", ".npz"))


def source_name(label: str) -> str | None:
    """The file or module that ``label`` stands on; None where the catalogue has it."""
    name = parse(label).name
    if is_data(name):
        return name
    return name.rpartition(":")[0] if is_users(name) else None


def identity(label: str, sources: Sources) -> str:
    """What stands for ``label`` in a cell's identity: itself, and the digest of its source if it has one."""
    name = source_name(label)
    return label if name is None else f"{label}#{_find(name, sources).digest}"


def of_labels(labels: Sequence[str], sources: Sources) -> Sources:
    """Those of ``sources`` that the labels stand on."""
    names = {source_name(label) for label in labels}
    return tuple(source for source in sources if source.name in names)


def function_of(name: str, sources: Sources) -> Callable[..., Any]:
    """The function that ``name``, as ``file.py:function``, means; whatever it raises becomes a RaisedError.

    Raises LabelError where its source is not among ``sources``, cannot be run, or has no such function.
    """
    return _function(name, sources, anew=False)


def function_anew(name: str, sources: Sources) -> Callable[..., Any]:
    """The same function as another process would have it, of its file run once more.

    Global random numbers have gone on, a second has gone by, and texts and objects have other hashes and ids.
    """
    return _function(name, sources, anew=True)


def _function(name: str, sources: Sources, *, anew: bool) -> Callable[..., Any]:
    source_name, _, function_name = name.rpartition(":")
    source = _find(source_name, sources)
    if isinstance(source, Given):
        there = source.functions
    elif isinstance(source, Source):
        there = vars(_module(source, anew))
    else:
        raise LabelError(f"{source_name} is no file of Python")
    function = there.get(function_name)
    if not callable(function):
        functions = [key for key, value in there.items() if isinstance(value, types.FunctionType)]
        hint = suggestion(function_name, functions)
        raise LabelError(f"{source_name} has no function {function_name!r}{hint}")
    return guarding(name, as_guest(function))


def data_of(name: str, sources: Sources) -> Data:
    """The file of arrays that ``name`` means. Raises LabelError where it is not among ``sources``."""
    found = _find(name, sources)
    if isinstance(found, (Source, Given)):
        raise LabelError(f"{name} is no file of arrays")
    return found


def is_of_one_network(name: str, sources: Sources) -> bool:
    """Whether a function has the weights of one network alone, so that it cannot be tried with another."""
    source_name, _, function_name = name.rpartition(":")
    found = _find(source_name, sources)
    return isinstance(found, Given) and found.one_network == function_name


def speaking_aside() -> AbstractContextManager[object]:
    """What a user's function prints does not mix with what a command prints."""
    return contextlib.redirect_stdout(sys.stderr)


def _find(name: str, sources: Sources) -> Source | Given | Data:
    for source in sources:
        if source.name == name:
            return source
    raise LabelError(f"the source of {name} is not at hand")


@lru_cache(maxsize=256)
def _module(source: Source, anew: bool) -> types.ModuleType:
    """The source, run as a module of its own. Raises LabelError with what it raised."""
    module = types.ModuleType(f"winit_source_{source.digest}{'_anew' if anew else ''}")
    module.__package__, module.__file__ = source.package, source.name
    seen = elsewhere.BUILTINS if anew else {}
    if source.is_file:
        neighbours = Neighbours(module.__name__, source.name, source.beside, source.unseen, seen)
        vars(module)["__builtins__"] = neighbours.builtins
    elif anew:
        vars(module)["__builtins__"] = vars(builtins) | seen
    if anew and any(_CLOCK.search(text) for text in (source.text, *dict(source.beside).values())):
        time.sleep(_TICK_SECONDS)
    # Where dataclasses look for a module.
    sys.modules[module.__name__] = module
    remember(source.name, source.text)
    try:
        with guarded(source.name, IMPORT_SECONDS, source), kept_out(), speaking_aside():
            exec(compile(source.text, source.name, "exec"), vars(module))  # noqa: S102 - the user's own code
    except RaisedError as error:
        raise LabelError(f"{source.name} cannot be run: {error.said}") from error
    return module
