"""Which modules beside a user's file it imports, and these, as their statements say."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from winit.network.beside import Beside, paths_of

_NEVER = "winit"
"""A name that nobody's neighbour has."""


def neighbours_of(file: Path, text: str, read: Callable[[Path], str]) -> Beside:
    """The modules in the folder of ``file`` that ``text``, its own, imports, and those that they import.

    ``read`` gives a file's text. Whatever else is called so: a module that lies beside the file is meant.
    """
    found: dict[str, str] = {}
    packages, seen = {""}, set[str]()
    ahead = list(_imported(text, None))
    while ahead:
        module = ahead.pop()
        if module in seen or module.partition(".")[0] == _NEVER:
            continue
        seen.add(module)
        parent = module.rpartition(".")[0]
        if parent and parent not in seen:
            ahead += [module, parent]
            seen.discard(module)
            continue
        for path in paths_of(module) if parent in packages else ():
            if (file.parent / path).is_file():
                found[path] = read(file.parent / path)
                if is_package := path.endswith("/__init__.py"):
                    packages.add(module)
                ahead += _imported(found[path], module if is_package else parent)
                break
    return tuple(sorted(found.items()))


def names_beside(file: Path) -> Iterator[str]:
    """The modules and packages in the folder of ``file``."""
    for path in (*file.parent.glob("*.py"), *(init.parent for init in file.parent.glob("*/__init__.py"))):
        if path.stem.isidentifier() and path.stem != _NEVER:
            yield path.stem


def _imported(text: str, package: str | None) -> Iterator[str]:
    """Every module that may be meant; ``package`` is where the text stands, None for what is in none."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # who runs it is told
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (not node.level or package is not None):
            around = (package or "").split(".")
            around = around[: len(around) - node.level + 1] if node.level else []
            base = ".".join(part for part in (*around, node.module) if part)
            yield from filter(None, [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)])
