"""Modules beside a user's file, imported by it and by nobody else.

They travel with the file, as text. What the file and they import by a statement is looked for among these
first: each such module is one of a package of the file's own, under a name that no other file has. So a
``helpers.py`` is the one that lies beside, whatever else is called so, and a ``random.py`` is that of no
library.
"""

import builtins
import linecache
import posixpath
import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

Beside = tuple[tuple[str, str], ...]
"""Of each module its path, relative to the file's folder, with slashes; and its text."""

_IMPORTING = ("importlib", "_frozen_importlib", __name__)


def paths_of(module: str) -> tuple[str, str]:
    """Where ``package.module`` may lie: as a package, and as a module."""
    path = module.replace(".", "/")
    return f"{path}/__init__.py", f"{path}.py"


def remember(path: str, text: str) -> None:
    """Where tracebacks and dataclasses look for the lines of a file."""
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)


class Neighbours(MetaPathFinder):
    """Finds the modules beside one file."""

    def __init__(
        self, module: str, file: str, beside: Beside, unseen: Iterable[str], others: Mapping[str, Any]
    ) -> None:
        """``module`` is the name of the file's own module.

        ``unseen`` are names of modules that lie beside it too, and are imported by no statement; ``others``
        stand in the place of Python's builtins.
        """
        self._module, self._root, self._file = module, f"{module}_beside", file
        self._texts: dict[str, str] = dict(beside)
        self._tops = {path.partition("/")[0].removesuffix(".py") for path in self._texts}
        self._refused = self._tops | set(unseen)
        self.builtins = vars(builtins) | dict(others) | {"__import__": self._import}
        """What the file and the modules beside it are to see."""
        package = types.ModuleType(self._root)
        package.__path__ = []
        sys.modules[self._root] = package
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, *_unused: object) -> ModuleSpec | None:
        """Of a module beside the file, under the name that it has in this process.

        Raises ImportError where the file, or one beside it, asks for such a module by its plain name, in a
        way that nobody could foresee.
        """
        top, _, module = fullname.partition(".")
        if top == self._root:
            for path in paths_of(module):
                if path in self._texts:
                    return self._spec(fullname, path)
            said = f"no module {module}, written in Python, lies beside {self._file}"
            raise ModuleNotFoundError(said, name=fullname)
        if top in self._refused and self._asks():
            mend = f"import it by a statement, `import {top}`, so that it is seen"
            raise ModuleNotFoundError(f"{top} lies beside {self._file}: {mend}", name=fullname)
        return None

    def _asks(self) -> bool:
        """Whether the code that imports is the file's, or that of a module beside it."""
        frame: types.FrameType | None = sys._getframe(2)  # noqa: SLF001 - nothing else says who imports
        while frame and str(frame.f_globals.get("__name__")).startswith(_IMPORTING):
            frame = frame.f_back
        name = str(frame.f_globals.get("__name__")) if frame else ""
        return name == self._module or name.startswith(f"{self._root}.")

    def _spec(self, fullname: str, path: str) -> ModuleSpec:
        place = posixpath.join(posixpath.dirname(self._file), path)
        loader = _Loader(place, self._texts[path], self.builtins)
        spec = ModuleSpec(fullname, loader, origin=place, is_package=path.endswith("/__init__.py"))
        spec.has_location = True
        return spec

    def _import(
        self,
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        """In the place of ``__import__``, which statements call."""
        top = name.partition(".")[0]
        fromlist = fromlist or ()
        if level or top not in self._tops:
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        module = builtins.__import__(f"{self._root}.{name}", globals_, locals_, fromlist)
        return module if fromlist else sys.modules[f"{self._root}.{top}"]


class _Loader(Loader):
    """Runs the text of a module beside a file."""

    def __init__(self, path: str, text: str, seen: dict[str, Any]) -> None:
        self._path, self._text, self._seen = path, text, seen

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module)["__builtins__"] = self._seen
        remember(self._path, self._text)
        exec(compile(self._text, self._path, "exec"), vars(module))  # noqa: S102 - the user's own code
