"""What a terminal without UTF-8 gets to see."""

_PLAIN = {
    "–": "-",
    "…": "...",
    "÷": "/",
    "×": "x",
    "·": "*",
    "σ": "sigma",
    "φ": "phi",
    "√": "sqrt",
    "²": "^2",
}


def plain_signs(error: UnicodeError) -> tuple[str, int]:
    """A handler of encoding errors: what a terminal has no sign for, in signs that all have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in lacking), error.end
