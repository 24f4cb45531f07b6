"""The errors that a user meets: one line that says what is wrong and what to do, whatever it repeats."""

import reprlib
from datetime import date
from typing import Any

LONGEST_QUOTE = 100
"""Characters of a value that an error repeats."""


class WinitError(Exception):
    """Something that the user can mend; shown without a traceback."""

    exit_code = 1


class RaisedError(WinitError):
    """Somebody's code, a user's own function say, raised."""

    def __init__(self, whose: str, said: str) -> None:
        super().__init__(f"{whose} raised {said}")
        self.said = said
        """What was raised, on one line."""
        self.deed = f"raised {said}"
        """The same, behind the name of whose code it was."""


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict, self.maxtuple, self.maxset = 3, 4, 4, 4, 4
        self.maxstring = self.maxother = LONGEST_QUOTE - 20

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, dict):  # of whatever class
            return self.repr_dict(x, level)
        return super().repr1(x, level)

    def repr_int(self, x: int, _: int) -> str:
        # Python itself does not write the digits of a number of thousands of them.
        return repr(x) if x.bit_length() < 256 else f"a whole number of {x.bit_length():,} bits"

    def repr_date(self, x: date, _: int) -> str:
        return f"the date {x}"

    repr_datetime = repr_date


_SHORT = _Short()


def quoted(value: object) -> str:
    """A value as an error repeats it: as Python writes it, but at most ``LONGEST_QUOTE`` characters."""
    text = _SHORT.repr(value)
    return shortened(text, LONGEST_QUOTE)


def shortened(text: str, most: int) -> str:
    """A text on one line that a terminal can show: its head where it is longer than ``most`` characters."""
    head = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text[: most + 1])
    return head if len(head) <= most else head[: most - 1] + "…"
