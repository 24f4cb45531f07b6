"""Labels that a query writes otherwise than the tables do: hints about it, that change no answer.

A config may say ``constant(0.1)``, ``xavier_normal`` or `` he_normal ``; the tables have the canonical label.
No code of a user's runs for a hint: a label with a colon is never resolved.
"""

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import duckdb

from winit.errors import quoted

COLUMNS = ("initializer", "activation", "input", "data", "width", "dtype", "verdict", "best")
"""What has labels in the tables, and words of a few kinds."""
_LONGEST = 100
"""Characters; what is longer is compared with no label."""


@dataclass(frozen=True)
class Hints:
    """Lines about texts of a query that no table has."""

    certain: list[str] = field(default_factory=list)
    """of labels that are written otherwise"""
    guessed: list[str] = field(default_factory=list)
    """of what is only near to a label: of use where the answer is empty"""


def texts_in(query: str) -> list[str]:
    """The texts in quotation marks of a query that names a column of labels, each once; none of another."""
    encoded, tokens = query.encode(), duckdb.tokenize(query)
    ends = [start for start, _ in tokens[1:]] + [len(encoded)]
    texts, names = dict[str, None](), set[str]()
    for (start, kind), end in zip(tokens, ends, strict=True):
        word = encoded[start:end].decode(errors="replace").strip()
        if kind != duckdb.token_type.string_const:
            names.add(word.strip('"').lower())
        elif word.startswith("'") and word.endswith("'"):  # not of another kind, as E'…' or $$…$$
            texts[word[1:-1].replace("''", "'")] = None
    return list(texts) if names.intersection(COLUMNS) else []


def hints(texts: Collection[str], labels: Collection[str]) -> Hints:
    """About those of ``texts`` that are not among ``labels``, which are all that the tables have."""
    found = Hints()
    for text in texts:
        if text in labels or not text.strip() or len(text) > _LONGEST or "%" in text:
            continue
        written = list(_canonical(text))
        spaceless = "".join(text.split())
        meant = (*written, text.strip(), spaceless, spaceless.lower())
        there = next((label for label in meant if label in labels), None)
        if there is not None:
            found.certain.append(f"no table has {quoted(text)}; write {quoted(there)}, as they do")
        elif written and text not in written:
            found.certain.append(
                f"no table has {quoted(text)}, nor {quoted(written[0])}, as they would write it"
            )
        elif near := difflib.get_close_matches(text, labels, n=1):
            found.guessed.append(f"no table has {quoted(text)}; did you mean {quoted(near[0])}?")
    return found


def _canonical(text: str) -> Iterator[str]:
    """How the tables would write ``text``, were it of one catalogue or another; small letters, at need."""
    # These take a while to load, and are wanted for few queries.
    from winit.network.activations import activation
    from winit.network.datasets import dataset
    from winit.network.initializers import initializer
    from winit.network.inputs import input_of
    from winit.network.labels import LabelError

    for spelling in dict.fromkeys((text, text.lower())):
        for meant in (initializer, activation, input_of, dataset):
            try:
                yield meant(spelling).label
            except LabelError:  # also of a user's own, whose code is not at hand
                continue
