"""The folder of results: which names can be its name, and whether it can be filled."""

import os
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


def results_folder(value: Any) -> Any:
    """A path as all steps take it: no ``~``, no ``./``, no slash at the end. Raises ValueError otherwise."""
    if not isinstance(value, str) or not value:
        return value
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"{quoted(value)} begins with the home folder of nobody here") from None
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
