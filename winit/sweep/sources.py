"""Where the source of a user's own functions is read: before anything starts, and when a plan is made.

Files of arrays are looked at here too, and nothing more. What else is read here is run. So it must be the
user's: a file in the folder where the command was started, but not in a results folder, which may be
anybody's; a module that was installed; or what ``WINIT_ALLOW`` names.
"""

import importlib.util
import os
import posixpath
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from winit.network.beside import Beside
from winit.network.guests import kept_out
from winit.network.labels import LabelError
from winit.network.sources import Given, Source, Sources, is_data, source_name, speaking_aside
from winit.sweep.data import DataFile, read_data
from winit.sweep.held import HeldArray, held
from winit.sweep.neighbours import names_beside, neighbours_of
from winit.visible import visible

ALLOW = "WINIT_ALLOW"
"""The environment variable with files and folders whose code may be run too."""
_OF_RESULTS = (
    "plan.parquet",
    "cells.parquet",
    "theory.parquet",
    "summary.parquet",
    "claims.parquet",
    "training.parquet",
    "training_runs.parquet",
    "layers/layers-0000.parquet",
)
"""What a results folder is known by."""

_STEP = "WINIT_PARENT"  # set for the steps of a workflow
_announced: set[str] = set()


def with_source(label: str) -> tuple[str, Sources]:
    """``label``, its path in one spelling, and the source that it stands on, none for the catalogue's.

    Raises LabelError where there is no such file or module, or it is not the user's.
    """
    name = source_name(label)
    if name is None:
        return label, ()
    start, source = label.index(name), name
    if name.endswith((".py", ".npy", ".npz")):
        name = posixpath.normpath(name)
    return label[:start] + name + label[start + len(source) :], (_at_hand(name),)


def sources_of(labels: Iterable[str]) -> Sources:
    """The sources of all labels that have one, each once, by name. Raises LabelError as above."""
    names = {source_name(label) for label in labels} - {None}
    return tuple(_at_hand(name) for name in sorted(map(str, names)))


def _at_hand(name: str) -> Source | DataFile | Given | HeldArray:
    if (found := held(name)) is not None:
        return found
    return read_data(name) if is_data(name) else read_source(name)


def announce(config: Any) -> None:
    """Say, once, which files and modules a config as read from YAML will have run."""
    names = dict.fromkeys(name for label in _labels(config) if (name := _named(label)) not in _announced)
    names.pop(None, None)
    # Of the steps of a workflow, which are processes of their own, the workflow has spoken.
    if names and _STEP not in os.environ:
        said = ", ".join(_with_neighbours(str(name)) for name in names)
        print(visible(f"winit: runs code of yours: {said}"), file=sys.stderr)  # noqa: T201
    _announced.update(map(str, names))


def _with_neighbours(name: str) -> str:
    """The name of a file, and of those beside it that it imports."""
    with suppress(LabelError):  # likewise
        if name.endswith(".py") and (source := read_source(name)).beside:
            return f"{name} (with {', '.join(dict(source.beside))})"
    return name


def _named(label: str) -> str | None:
    with suppress(LabelError):  # the check says what is wrong with it
        name = source_name(label)
        return None if name is None or is_data(name) else name
    return None


def _labels(part: Any, key: Any = None) -> Iterator[str]:
    """Every text that stands at an axis of labels."""
    if isinstance(part, dict):
        for key_, value in part.items():
            yield from _labels(value, key_)
    elif isinstance(part, list):
        for value in part:
            yield from _labels(value, key)
    elif isinstance(part, str) and key in {"initializer", "activation", "input"}:
        yield part


def read_source(name: str) -> Source:
    """The text of a file (``path/to/file.py``) or of a module that can be imported (``package.module``).

    Raises LabelError where there is none, or where it is not the user's to run; the message says the mend.
    """
    if name.endswith(".py"):
        path, package = Path(name).expanduser(), ""
        _check(name, path)
    else:
        path, package = _module_file(name), name.rpartition(".")[0]
    if path.name == "__init__.py":
        package = name
    text = _read(name, path)
    if not name.endswith(".py"):
        return Source(name, text, package)
    beside = _beside(name, path, text)
    seen = {part for module, _ in beside for part in module.removesuffix(".py").split("/")[:1]}
    return Source(name, text, package, beside, tuple(sorted({*names_beside(path)} - seen)))


def _beside(name: str, path: Path, text: str) -> Beside:
    """The modules beside a file that it imports."""

    def read(neighbour: Path) -> str:
        called = str(neighbour.relative_to(path.parent)) + f", which {name} imports,"
        _check(called, neighbour)
        return _read(called, neighbour)

    return neighbours_of(path, text, read)


def _read(name: str, path: Path) -> str:
    try:
        # As Python reads it: with the encoding that it declares.
        return importlib.util.decode_source(path.read_bytes())
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise LabelError(f"{name} cannot be read from {Path.cwd()}: {error}") from None


def _check(name: str, path: Path) -> None:
    """Raise LabelError where the code in ``path`` may be somebody else's."""
    real, here = path.resolve(), Path.cwd().resolve()
    if any(real.is_relative_to(allowed) for allowed in _allowed()):
        return
    if not real.is_relative_to(here):
        raise LabelError(
            f"{name} is not run, since it lies outside of the folder {here}, where this was started; start it"
            f" in the folder of your code, or, where you trust it, set {_allowing(real)}"
        )
    if results := _results_around(real.parent):
        raise LabelError(
            f"{name} is not run, since it lies in the results folder {results}, and results are data; move it"
            f" out of there, or, where you trust it, set {_allowing(real)}"
        )


def _allowing(path: Path) -> str:
    """What allows ``path`` too."""
    return f"{ALLOW}={os.pathsep.join(filter(None, [os.environ.get(ALLOW), str(path)]))}"


def _allowed() -> Iterator[Path]:
    for path in os.environ.get(ALLOW, "").split(os.pathsep):
        if path:
            yield Path(path).expanduser().resolve()


def _results_around(folder: Path) -> Path | None:
    """The results folder in which ``folder`` lies, or which it is."""
    for each in (folder, *folder.parents):
        if any((each / name).exists() for name in _OF_RESULTS):
            return each
    return None


def _module_file(name: str) -> Path:
    # As with `python -m`, modules in the folder where the run was started are found; workers inherit it.
    here = Path.cwd()
    mine = _results_around(here.resolve()) is None or any(map(here.resolve().is_relative_to, _allowed()))
    if mine and str(here) not in sys.path:
        sys.path.insert(0, str(here))
    try:
        # To find a module of a package is to run the package: first, where that is.
        _check_found(name, importlib.util.find_spec(name.partition(".")[0]))
        with kept_out(), speaking_aside():
            spec = importlib.util.find_spec(name)
    except LabelError:
        raise
    except (ImportError, ValueError) as error:
        raise LabelError(f"there is no module {name}: {error} (a file's name ends in .py)") from None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise LabelError(f"there is no module {name} written in Python (a file's name ends in .py)")
    _check_found(name, spec)
    return Path(spec.origin)


def _check_found(name: str, spec: ModuleSpec | None) -> None:
    """Raise LabelError where a module was found in the folder where this was started and is not the user's.

    What was found elsewhere was installed.
    """
    if spec is None:
        return
    here = Path.cwd()
    origin = spec.origin if spec.has_location else None
    for place in (origin, *(spec.submodule_search_locations or ())):
        if place and any(Path(place).absolute().is_relative_to(each) for each in (here, here.resolve())):
            _check(name, Path(place))
