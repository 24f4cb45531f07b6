r"""Text of others, a label, an error's message, made fit for a terminal and for a line of a table.

What a terminal would obey, or what turns the order of letters, is shown as Python writes it: ``\x1b``. In a
terminal some of it moves the cursor, changes the window's title or what was printed before.
"""

import re

# C0, DEL and C1; what ends a line for some programs; marks, embeddings, overrides and isolates of direction;
# what is no character (half a surrogate pair).
_UNSEEN = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_ALL = re.compile(f"[{_UNSEEN}]")
_BUT_LINES = re.compile(f"(?![\n\t])[{_UNSEEN}]")


def visible(text: str, *, lines: bool = False) -> str:
    """``text`` on one line, or with its ``lines`` and tabs, and nothing left that a terminal would obey."""
    return (_BUT_LINES if lines else _ALL).sub(lambda found: ascii(found[0])[1:-1], text)


def visible_in_json(text: str) -> str:
    """JSON on one line, with the same signs escaped as JSON does it: it says what it said before."""
    return _ALL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
