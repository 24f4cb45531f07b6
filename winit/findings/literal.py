"""Labels and other words of users as Markdown and CSV that show them as they are, and do nothing.

A file of functions may be named as its owner likes: like a link, a tag, or a formula of a spreadsheet.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

# With what a text begins that a spreadsheet would compute; the last four are the wide signs of the same. A
# text that begins with an apostrophe gets a second one, so that whoever reads it back can take one away.
_FORMULA = "^['=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]"
_BEGINS_A_FORMULA = re.compile(_FORMULA)
# What Markdown, with GitHub's additions, may take for more than text. An underscore within a word is one.
_MARKUP = re.compile(
    r"""[\\`*\[\]~@\x00-\x1f\x7f]
    | (?<![^\W_])_ | _(?![^\W_])  # emphasis
    | <[A-Za-z/!?] | &[#A-Za-z]   # tags, entities
    | ://|www\.|mailto:|xmpp:     # addresses
    | :[\w+-]+:                   # signs by name
    | \#$ | ^\s | \s$""",
    re.VERBOSE | re.IGNORECASE,
)


def as_text(value: str) -> str:
    """A text for a CSV file that spreadsheets take for text: with an apostrophe where it needs one."""
    return f"'{value}" if _BEGINS_A_FORMULA.match(value) else value


def column_as_text(column: pa.Array) -> pa.Array:
    """The same for a column of texts; null stays null."""
    guarded = pc.binary_join_element_wise("'", column, "")
    return pc.if_else(pc.match_substring_regex(column, _FORMULA), guarded, column)


def as_markdown(text: str) -> str:
    """A line of Markdown that shows ``text``: itself where nothing in it is markup, else as code."""
    if text.isprintable() and not _MARKUP.search(text):
        return text
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    runs = {len(run) for run in re.findall("`+", shown)}
    fence = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    room = " " if shown[:1] in {"`", " "} or shown[-1:] in {"`", " "} else ""
    # Code of spaces alone keeps them all.
    room = room if shown.strip(" ") else ""
    return f"{fence}{room}{shown}{room}{fence}"


def as_markdown_cell(text: str) -> str:
    """The same for a cell of a table, where lines may follow one another."""
    return "<br>".join(as_markdown(line).replace("|", "\\|") for line in text.split("\n"))
