"""Pages as LaTeX for pdflatex: booktabs and longtable, made for a line of 17 cm (A4, margins of 2 cm)."""

import re
import unicodedata

from winit.findings.page import NOTHING, Label, Page, Section, Strong, shown

PACKAGES = ("array", "booktabs", "longtable")
_HEAD = f"% Needs \\usepackage{{{','.join(PACKAGES)}}}"
_LINE = 106.0
"""Characters of a line of 17 cm in the size of the tables, \\footnotesize."""
_GAP = 1.4
"""Between two columns, in characters: twice \\tabcolsep."""
_NARROW = 13.0
"""Columns up to so many characters are as wide as they are."""

_SPECIAL = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "''",
    "`": "\\textasciigrave{}",
}
_SIGNS = {
    "α": "\\alpha", "β": "\\beta", "γ": "\\gamma", "δ": "\\delta", "ε": "\\varepsilon", "η": "\\eta",
    "λ": "\\lambda", "μ": "\\mu", "µ": "\\mu", "ξ": "\\xi", "π": "\\pi", "ρ": "\\rho", "σ": "\\sigma",
    "τ": "\\tau", "φ": "\\varphi", "χ": "\\chi", "Σ": "\\Sigma", "Φ": "\\Phi", "∂": "\\partial",
    "√": "\\surd", "×": "\\times", "÷": "\\div", "·": "\\cdot", "±": "\\pm", "−": "-", "∞": "\\infty",
    "≤": "\\le", "≥": "\\ge", "≠": "\\ne", "≈": "\\approx", "→": "\\to", "∈": "\\in", "⊙": "\\odot",
    "∑": "\\sum", "′": "{}'", "°": "{}^\\circ", "ᵀ": "{}^T",
} | {sign: f"{{}}^{digit}" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")} \
  | {sign: f"{{}}_{digit}" for digit, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")}  # fmt: skip
_WORDS = {
    "–": "--", "—": "---", "…": "\\ldots{}", "’": "'", "‘": "`", "“": "``", "”": "''", "ß": "\\ss{}",
    "\N{NO-BREAK SPACE}": "~", "\N{NARROW NO-BREAK SPACE}": "~",
}  # fmt: skip
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327", "`'^~\"rvc", strict=True))

_POWER = re.compile(r"(?<![\w.=])(-?)(\d+(?:\.\d+)?)e([+-]\d+)(?!\w)")
_NUMBER = re.compile(rf"-?[\d.]+(e[+-]\d+)?|-?inf|nan|{NOTHING}")
_MINUS = re.compile(r"(?<![\w)])-(?=\d|inf)")
_BREAKS = re.compile(r"(\\_|[(/:,=.])(?=[^\s\d])")


def escaped(text: str) -> str:
    """Text as LaTeX in ASCII: what cannot be set by pdflatex is named by its code point."""
    found = []
    for character in unicodedata.normalize("NFC", text):
        base, *marks = list(unicodedata.normalize("NFD", character))
        if character in _SPECIAL:
            found.append(_SPECIAL[character])
        elif character.isascii():
            found.append(character if character.isprintable() else " ")
        elif character in _SIGNS:
            found.append(f"$\\mathord{{{_SIGNS[character]}}}$")
        elif character in _WORDS:
            found.append(_WORDS[character])
        elif base.isascii() and len(marks) == 1 and marks[0] in _ACCENTS:
            found.append(f"\\{_ACCENTS[marks[0]]}{{{base}}}")
        else:
            found.append(f"[U+{ord(character):04X}]")
    return "".join(found)


def cell(value: object) -> str:
    """A cell: numbers with powers of ten and real minus signs, labels that may break."""
    whole = shown(value)
    parts = []
    at = 0
    for match in _POWER.finditer(whole):
        parts.append(_plain(whole[at : match.start()]))
        sign, factor, power = match.groups()
        parts.append(f"${sign}{factor}\\times10^{{{int(power)}}}$")
        at = match.end()
    made = "".join([*parts, _plain(whole[at:])])
    return f"\\textbf{{{made}}}" if isinstance(value, Strong) else made


def _plain(text: str) -> str:
    pieces = [escaped(piece) for piece in _MINUS.split(text)]
    # An interval stays on one line.
    pieces = [piece.replace(" \\ldots{} ", "~\\ldots{}~") for piece in pieces]
    return "$-$".join(_BREAKS.sub(r"\1\\allowbreak{}", piece) for piece in pieces)


def prose(text: str) -> str:
    """A text, in which what is between backticks is code."""
    pieces = text.split("`")
    return "".join(
        f"\\texttt{{{_plain(piece)}}}" if code % 2 else escaped(piece) for code, piece in enumerate(pieces)
    )


def page(page: Page, name: str) -> str:
    """A page for an input command: its text, then a longtable with caption and label for each section."""
    parts = [_HEAD, prose(page.text)]
    for number, section in enumerate(page.sections, start=1):
        title = prose(page.title)
        if section.heading:
            written = _plain if isinstance(section.heading, Label) else prose
            title += f": {written(section.heading)}"
        if section.rows:
            parts.append(_table(section, title, f"tab:{name}-{number}"))
        else:
            parts.append(f"\\paragraph{{{title}}}")
        if section.notes:
            items = [f"\\item {prose(note)}" for note in section.notes]
            parts.append("\n".join(["\\begin{itemize}", *items, "\\end{itemize}"]))
    return "\n\n".join(parts) + "\n"


def _table(section: Section, title: str, label: str) -> str:
    header = " & ".join(cell(name) for name in section.header) + " \\\\"
    lines = [" & ".join(cell(value) for value in row) + " \\\\" for row in section.rows]
    return "\n".join(
        [
            "{\\footnotesize\\setlength{\\tabcolsep}{3pt}",
            f"\\begin{{longtable}}{{@{{}}{_columns(section)}@{{}}}}",
            f"\\caption{{{title}}}\\label{{{label}}}\\\\",
            f"\\toprule\n{header}\n\\midrule\n\\endfirsthead",
            f"\\toprule\n{header}\n\\midrule\n\\endhead",
            "\\bottomrule\n\\endfoot",
            *lines,
            "\\end{longtable}}",
        ]
    )


def _columns(section: Section) -> str:
    """Numbers to the right; where a line is too short for all, wide columns share what narrow ones leave."""
    columns = list(zip(*([shown(value) for value in row] for row in section.rows), strict=True))
    widths = [max(map(_width, (name, *values))) for name, values in zip(section.header, columns, strict=True)]
    room = _LINE - _GAP * (len(widths) - 1)
    kinds = ["r" if all(map(_NUMBER.fullmatch, values)) else "l" for values in columns]
    if sum(widths) <= room:
        return "".join(kinds)
    wide = [width for width in widths if width > _NARROW]
    left = max(room - (sum(widths) - sum(wide)), _NARROW * len(wide))
    # Twice as long a text gets √2 of the width: it has more lines to fill.
    whole = sum(width**0.5 for width in wide)
    return "".join(
        kind
        if width <= _NARROW
        else f">{{\\raggedright\\arraybackslash}}p{{{left * width**0.5 / whole / _LINE:.3f}\\linewidth}}"
        for kind, width in zip(kinds, widths, strict=True)
    )


def _width(text: str) -> float:
    """In characters; a power of ten is wider than e."""
    return len(text) + 2.0 * len(_POWER.findall(text))
