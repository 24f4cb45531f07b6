"""What can be wrong with a config, in the words of this program: where, what was found, what is allowed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from pydantic_core import ErrorDetails

from winit.errors import WinitError, quoted, shortened
from winit.network.labels import suggestion

Location = tuple[int | str, ...]

MOST_PROBLEMS = 50
"""Of a config that an error lists."""
LONGEST_PROBLEM = 500
"""Characters; so an error has some 25,000 at most."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where (``grids[0].depth[2]``), and what, with the mend."""

    path: str
    message: str

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return shortened(text, LONGEST_PROBLEM)


class ConfigError(WinitError):
    """All that is wrong with a config."""

    exit_code = 2

    def __init__(self, source: str, problems: Iterable[Problem], more: int = 0) -> None:
        self.source = shortened(source, LONGEST_PROBLEM)
        self.problems = tuple(problems)
        self.more = more
        """Problems beyond those that are listed."""
        super().__init__(source, self.problems, more)

    def __str__(self) -> str:
        count = len(self.problems) + self.more
        head = f"{self.source}: {count:,} problem{'s' if count > 1 else ''}, nothing was started"
        lines = [head, *(f"  {problem}" for problem in self.problems)]
        if self.more:
            lines.append(f"  and {self.more:,} more")
        return "\n".join(lines)


_MESSAGES = {
    "missing": "is missing",
    "too_short": "is empty; give at least one value",
    "string_too_short": "is empty",
    "greater_than_equal": "{found} is too small; it must be at least {ge}",
    "greater_than": "{found} is too small; it must be above {gt}",
    "less_than_equal": "{found} is too large; it must be at most {le}",
    "less_than": "{found} is too large; it must be below {lt}",
    "int_parsing_size": "{found} is too large",
    "int_parsing": "{found} is not a whole number; write one such as 1000",
    "int_type": "{found} is not a whole number; write one such as 1000",
    "int_from_float": "{found} is not a whole number; write one such as 1000",
    "float_parsing": "{found} is not a number; write one such as 0.5",
    "float_type": "{found} is not a number; write one such as 0.5",
    "finite_number": "{found} is not a finite number; write one that is",
    "bool_parsing": "{found} is not true or false; write one of them",
    "bool_type": "{found} is not true or false; write one of them",
    "string_unicode": "{found} is not text that UTF-8 can write",
    "byte_size": "{found} is not a size; write a number of bytes, or one with its unit such as '32 GB'",
    "byte_size_unit": "{found} is not a size; write a number of bytes, or one with its unit such as '32 GB'",
    "invalid_key": "{found} is a key that is not text",
    "list_type": "{found} is not a list; write it in brackets, [ … ], or in lines that begin with -",
    "model_type": "{found} is not a mapping; write a line below for each of its keys, as key: value",
    "dict_type": "{found} is not a mapping; write a line below for each of its keys, as key: value",
}


def problem_of(details: ErrorDetails, keys_at: Callable[[Location], list[str]]) -> Problem:
    """A pydantic error in the words of this program. ``keys_at`` has the keys allowed at a place."""
    kind, found, context = details["type"], details["input"], details.get("ctx", {})
    path = ""
    for step in details["loc"]:
        name = step if isinstance(step, int) or step.isidentifier() else quoted(step)
        path += f"[{step}]" if isinstance(step, int) else f".{name}" if path else f"{name}"
    if kind == "extra_forbidden":
        known = keys_at(details["loc"])
        hint = suggestion(str(details["loc"][-1]), known)
        return Problem(path, f"unknown key{hint} (allowed: {', '.join(known)})")
    if kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ")
        hint = suggestion(found, choices.split(", ")) if isinstance(found, str) else ""
        return Problem(path, f"{quoted(found)} is not allowed{hint} (allowed: {choices})")
    if kind == "string_type":
        return Problem(path, _not_text(found, details["loc"][-1]))
    if kind in _MESSAGES:
        shown = "null" if found is None else quoted(found)
        return Problem(path, _MESSAGES[kind].format(found=shown, **context))
    return Problem(path, details["msg"].removeprefix("Value error, "))


def _not_text(found: object, key: int | str) -> str:
    """YAML makes other things of what has no quotation marks; what stood there it does not keep."""
    name = f"{key}: " if isinstance(key, str) else ""
    meant = f"write it in quotation marks, such as {name}"
    if isinstance(found, bool):
        words = "yes, on and true" if found else "no, off and false"
        return f"{quoted(found)} is not text, as YAML reads {words}; {meant}'{'on' if found else 'no'}'"
    if isinstance(found, int):
        bases = "as 012 and 1:30 are too, in base 8 and 60"
        return f"{quoted(found)} is a number to YAML, {bases}, and not text; {meant}'{quoted(found)}'"
    if isinstance(found, (float, date)):
        return f"{quoted(found)} is not text; {meant}'{found}'"
    if found is None:
        return "null is not text; write some, or leave the line out"
    return f"{quoted(found)} is not text; write one text"
