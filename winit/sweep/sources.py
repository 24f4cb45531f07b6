"""Where the source of a user's own functions is read: before anything starts, and when a plan is made."""

import importlib.util
import posixpath
import sys
from collections.abc import Iterable
from pathlib import Path

from winit.network.labels import LabelError
from winit.network.sources import Source, Sources, source_name


def with_source(label: str) -> tuple[str, Sources]:
    """``label``, its path in one spelling, and the source that it stands on, none for the catalogue's.

    Raises LabelError where there is no such file or module.
    """
    name = source_name(label)
    if name is None:
        return label, ()
    start, source = label.index(name), name
    if name.endswith(".py"):
        name = posixpath.normpath(name)
    rest = label[label.index(":", start + len(source)) :]
    return label[:start] + name + rest, (read_source(name),)


def sources_of(labels: Iterable[str]) -> Sources:
    """The sources of all labels that have one, each once, by name. Raises LabelError as above."""
    names = {source_name(label) for label in labels} - {None}
    return tuple(read_source(str(name)) for name in sorted(map(str, names)))


def read_source(name: str) -> Source:
    """The text of a file (``path/to/file.py``) or of a module that can be imported (``package.module``)."""
    path = Path(name).expanduser() if name.endswith(".py") else _module_file(name)
    package = "" if name.endswith(".py") else name.rpartition(".")[0]
    if path.name == "__init__.py":
        package = name
    try:
        # As Python reads it: with the encoding that it declares.
        return Source(name, importlib.util.decode_source(path.read_bytes()), package)
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise LabelError(f"{name} cannot be read from {Path.cwd()}: {error}") from None


def _module_file(name: str) -> Path:
    # As with `python -m`, modules in the folder where the run was started are found; workers inherit it.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise LabelError(f"there is no module {name}: {error} (a file's name ends in .py)") from None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise LabelError(f"there is no module {name} written in Python (a file's name ends in .py)")
    return Path(spec.origin)
