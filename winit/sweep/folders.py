"""Paths as people write them, and the folder of results: its name, and whether it can be filled."""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from winit.errors import WinitError, quoted

_LONGEST_NAME = 255
"""Bytes of a name in a file system."""
_LONGEST_PATH = 3_800
"""Bytes of a path, with room for the names below it."""
_SIGNS = "{}*?:"
"""Patterns to Snakemake, and where a path begins with a word and a colon, an address to Arrow."""
_VARIABLE = re.compile(r"\$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[^}]*)\})")


def expanded(path: str) -> str:
    """A path with what stands for a home folder (``~``) and for variables of the environment put in.

    As a shell has them, ``$NAME`` and ``${NAME}``; once expanded, a path stays as it is. Raises ValueError
    where a variable is not set.
    """

    def value(found: re.Match[str]) -> str:
        name = found["name"] or found["braced"]
        if not os.environ.get(name):
            raise ValueError(
                f"{quoted(path)} has ${name} in it, and no such variable is set; set it, or write the path"
                " itself"
            )
        return os.environ[name]

    written = _VARIABLE.sub(value, path)
    if _VARIABLE.search(written):
        raise ValueError(f"{quoted(path)} has variables in its variables; write the path itself")
    try:
        return str(Path(written).expanduser()) if written.startswith("~") else written
    except RuntimeError:
        raise ValueError(f"{quoted(path)} begins with the home folder of nobody here") from None


def results_folder(value: Any) -> Any:
    """A path as all steps take it: expanded, no ``./``, no slash at the end. Raises ValueError otherwise."""
    if not isinstance(value, str) or not value:
        return value
    path = Path(expanded(value))
    folder, shown = str(path), quoted(value)
    if found := [sign for sign in _SIGNS if sign in folder]:
        raise ValueError(f"{shown} has {' '.join(found)} in it; a folder of results is named without")
    if not folder.isprintable():
        raise ValueError(f"{shown} has characters that cannot be shown; leave them out")
    if any(name != name.strip() for name in path.parts):
        raise ValueError(f"{shown} has a name that begins or ends with a space; leave it out")
    if folder.startswith("-"):
        raise ValueError(f"{shown} begins with -, as options do; begin with another sign")
    if path.name in {"", ".."} or path == Path.home():
        raise ValueError(f"{shown} holds other things too; name a folder in it, such as {path / 'results'}")
    if max(len(os.fsencode(name)) for name in path.parts) > _LONGEST_NAME:
        raise ValueError(f"{shown} has a name of more than {_LONGEST_NAME} bytes; take a shorter one")
    if len(os.fsencode(path.absolute())) > _LONGEST_PATH:
        raise ValueError(f"{shown} is a path of more than {_LONGEST_PATH:,} bytes; take a shorter one")
    return folder


def check_place(folder: Path) -> None:
    """Raise WinitError where ``folder`` can neither be filled nor be made."""
    there = folder
    while not os.path.lexists(there):
        there = there.parent
    if there.is_symlink() and not there.exists():
        wrong = "is a link to nothing"
    elif not there.is_dir():
        wrong = "is no folder"
    else:
        try:
            tempfile.TemporaryFile(dir=there).close()
        except OSError as error:
            wrong = f"cannot be written ({error.strerror})"
        else:
            return
    raise WinitError(f"results cannot go to {folder}: {there} {wrong}; name another folder as results")
