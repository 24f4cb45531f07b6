"""Reading a config, from a YAML file or from whoever calls: within bounds, whatever stands there.

A small file can mean much: an alias of aliases of aliases is a list of billions, and a thousand brackets are
deeper than Python can go. What is larger or deeper than the bounds is refused before anything is built of it.
"""

import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from winit.errors import quoted
from winit.sweep.problems import ConfigError, Problem
from winit.sweep.seals import said_in

LARGEST_FILE = 16 * 2**20
"""bytes"""
MOST_VALUES = 1_000_000
"""In a config, keys too, each alias counted as what it stands for."""
DEEPEST = 32
"""Lists and mappings in one another."""

_COLLECTIONS = (list, tuple, dict, set, frozenset)
_TOO_MANY = f"holds more than {MOST_VALUES:,} values (an alias counts as all that it stands for)"
_TOO_DEEP = f"has lists or mappings in one another, more than {DEEPEST} deep"
_ITSELF = "has a list or a mapping that holds itself"


def read_yaml(path: Path | None) -> tuple[Any, str]:
    """The data in a YAML file, or in standard input where ``path`` is None, and the name of that.

    Raises ConfigError where it cannot be read, or is beyond the bounds above.
    """
    source = "standard input" if path is None else str(path)
    try:
        content = sys.stdin.buffer.read(LARGEST_FILE + 1) if path is None else _content(path)
        if len(content) > LARGEST_FILE:
            raise ConfigError(source, [Problem("", f"is larger than {LARGEST_FILE:,} bytes")])
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise ConfigError(source, [Problem("", f"cannot be read: {said}")]) from None
    try:
        said_in(text)
    except ValueError as error:
        raise ConfigError(source, [Problem("", str(error))]) from None
    return from_yaml(text, source), source


def _content(path: Path) -> bytes:
    """Of a regular file: a pipe or a device may never end."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(file, "rb") as opened:  # noqa: PTH123 - it is open
        mode = os.fstat(file).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(None, "it is a folder")
        if not stat.S_ISREG(mode):
            raise ValueError("it is no regular file; write the config to one")
        return opened.read(LARGEST_FILE + 1)


def from_yaml(text: str, source: str) -> Any:
    """The data in a text. Raises ConfigError as above."""
    try:
        _check_events(yaml.parse(text, _Loader))
        data = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ConfigError(source, [Problem("", f"is not YAML: {_where(error)}")]) from None
    except _BeyondError as error:
        raise ConfigError(source, [Problem("", str(error))]) from None
    check_extent(data, source)  # aliases of aliases are deeper than they look
    return data


def check_extent(data: Any, source: str) -> None:
    """Raise ConfigError where ``data``, from wherever it comes, is beyond the bounds."""
    try:
        if isinstance(data, _COLLECTIONS):
            _extent(data, 0, {})
    except _BeyondError as error:
        raise ConfigError(source, [Problem("", str(error))]) from None


class _BeyondError(Exception):
    """Larger or deeper than allowed."""


def _where(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _check_events(events: Iterable[yaml.Event]) -> None:
    """As the parser sees them: nothing is built yet."""
    values = [0]
    within: list[str | None] = []
    sizes: dict[str, int] = {}
    for event in events:
        anchor, count = None, 0
        if isinstance(event, yaml.CollectionStartEvent):
            within.append(event.anchor)
            values.append(1)
            if len(within) > DEEPEST:
                raise _BeyondError(_TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, count = within.pop(), values.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, count = event.anchor, 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in within:
                raise _BeyondError(_ITSELF)
            count = sizes.get(event.anchor, 1)
        values[-1] += count
        if anchor is not None:
            sizes[anchor] = count
        if values[-1] > MOST_VALUES:
            raise _BeyondError(_TOO_MANY)


def _extent(value: Any, depth: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values there are in the collection ``value``, itself too, and how deep they lie."""
    if id(value) in known:
        return known[id(value)]
    if depth >= DEEPEST:
        raise _BeyondError(_TOO_DEEP)
    count, height = 1, 0
    for item in chain(value, value.values()) if isinstance(value, dict) else value:
        if isinstance(item, _COLLECTIONS):
            more, below = _extent(item, depth + 1, known)
            count, height = count + more, max(height, below)
        else:
            count += 1
        if count > MOST_VALUES:
            raise _BeyondError(_TOO_MANY)
    known[id(value)] = count, height + 1
    if depth + height >= DEEPEST:
        raise _BeyondError(_TOO_DEEP)
    return count, height + 1


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # yaml has no types
    """YAML without its trap that of a key given twice the last one counts."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and counts[key.value] > 1:
                    said = f"the key {quoted(key.value)} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, said, key.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """What is none of what its tag says, such as the 30th of February, ends in all sorts of errors."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            said = f"{quoted(node.value)} is no {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from None
