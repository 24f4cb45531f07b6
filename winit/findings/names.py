"""Names of files, and ids on a page, from labels: two labels never share one, and every file system takes it.

A label of the catalogue gives a name that can be read: ``leaky_relu(negative_slope=0.2)`` is
``leaky_relu_negative_slope=0.2_``. Where a name does not lead back to its label, since signs, the case of
letters or the end were lost, a digest of the label tells it from others.
"""

import hashlib
import re

from winit.network.activations import ACTIVATIONS
from winit.network.initializers import INITIALIZERS
from winit.network.inputs import INPUTS
from winit.network.labels import with_aliases

_UNSAFE = re.compile(r"[^a-z0-9._=-]")
_LONGEST = 120
_DIGITS = 16  # of the digest
_DIGESTED = re.compile(rf".*-[0-9a-f]{{{_DIGITS}}}")
# What stands between two parts, and not before a number, in it, or between the two of a taper.
_BETWEEN = re.compile(r"(?<!=)-(?!\d)")
_KNOWN = sorted({*with_aliases(ACTIVATIONS), *with_aliases(INITIALIZERS), *INPUTS}, key=len, reverse=True)
_CALLED = re.compile(rf"(?P<name>{'|'.join(map(re.escape, _KNOWN))}|.+?\.py_[a-z0-9]+)_(?P<arguments>.+=.+)_")
_USERS = re.compile(r"(?P<file>.+?\.py)_(?P<function>\w+)")


def file_name(*parts: str) -> str:
    """One name of labels, settings and words: at most 140 of the signs a-z, 0-9 and ``._=-``."""
    name = "-".join(_UNSAFE.sub("_", part.lower()) for part in parts)
    if _is_plain(name) and tuple(map(_label, _BETWEEN.split(name))) == parts:
        return name
    digest = hashlib.blake2b(ascii(parts).encode(), digest_size=_DIGITS // 2).hexdigest()
    return f"{name[:_LONGEST].strip('.-') or '_'}-{digest}"


def _is_plain(name: str) -> bool:
    """Neither too long, nor odd at an end, nor like one with a digest."""
    return 0 < len(name) <= _LONGEST and name.strip(".-") == name and not _DIGESTED.fullmatch(name)


def _label(part: str) -> str:
    """The label that a part of a name is most likely made of."""
    if called := _CALLED.fullmatch(part):
        return f"{_label(called['name'])}({called['arguments'].replace('__', ', ')})"
    if users := _USERS.fullmatch(part):
        return f"{users['file']}:{users['function']}"
    setting, equals, value = part.partition("=")
    return f"{setting}={_label(value)}" if equals and value else part
