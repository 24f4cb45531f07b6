"""What a label means: the entry of a catalogue that it names, ours or as other libraries write it."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping

from winit.errors import quoted
from winit.network import labels
from winit.network.labels import Call, LabelError, Value, bind, canonical
from winit.network.libraries import AnyEntry, Meaning, key, meanings, why_not

# A name as long as this resembles none.
_LONG = 100
_NEAR = 0.7
# So many letters of a name of ours in another one are no chance.
_TELLING = 4

Found = tuple[str, AnyEntry, tuple[tuple[str, Value], ...]]


def resolve(
    kind: str,
    label: str,
    catalogue: Mapping[str, AnyEntry],
    users: Callable[[str], AnyEntry] | None = None,
) -> Found[AnyEntry]:
    """As ``labels.resolve``, and a name that is another library's (``nn.ReLU``) is what that is here.

    Raises LabelError, with the mend, where it may mean several things too.
    """
    call = labels.parse(label)
    if ":" in call.name and users is not None:
        return labels.resolve(kind, label, catalogue, users)
    if call.name in catalogue:
        try:
            return labels.resolve(kind, label, catalogue)
        except LabelError as error:
            offers = _offered(_those_that_fit(kind, call, catalogue)[0])
            raise LabelError(f"{error}; elsewhere it is {offers}") if offers else error from None
    found, wrong = _those_that_fit(kind, call, catalogue)
    if len(found) == 1:
        return next(iter(found.values()))[0]
    if found:
        raise LabelError(f"{quoted(call.name)} may mean {_offered(found)}; write which")
    # A library knows best what its arguments are.
    raise LabelError(min(wrong, key=lambda one: one[0])[1] if wrong else unknown(kind, call.name, catalogue))


Fitting = dict[str, tuple[Found[AnyEntry], list[str]]]


def _those_that_fit(
    kind: str, call: Call, catalogue: Mapping[str, AnyEntry]
) -> tuple[Fitting[AnyEntry], list[tuple[bool, str]]]:
    """What ``call`` may mean, by label, with whose that is, and what is wrong with it otherwise.

    Of what is wrong it comes first whether a name of ours is meant.
    """
    found: Fitting[AnyEntry] = {}
    wrong: list[tuple[bool, str]] = []
    for meaning in _meanings(kind, call.name, catalogue):
        try:
            meant = meaning.call(call)
            bound = meant and _bound(meant, meaning.entry)
        except LabelError as error:
            wrong.append((meaning.place is None, f"{call.name} is {meaning.entry.name} here: {error}"))
            continue
        if bound:
            found.setdefault(bound[0], (bound, []))[1].append(meaning.whose)
    return found, wrong


def _offered(found: Fitting[AnyEntry]) -> str:
    """The labels to copy, and whose each is."""
    *offers, last = [f"{label!r} ({', '.join(whose[:2])})" for label, (_, whose) in found.items()] or [""]
    return f"{', '.join(offers)} or {last}" if offers else last


def _bound(call: Call, entry: AnyEntry) -> Found[AnyEntry]:
    arguments = bind(call, entry.function)
    return canonical(entry.name, entry.function, arguments), entry, tuple(arguments.items())


def _meanings(kind: str, name: str, catalogue: Mapping[str, AnyEntry]) -> list[Meaning[AnyEntry]]:
    if kind == "activation" and why_not(name):
        return []
    return meanings(name, _entries(catalogue))


def _entries(catalogue: Mapping[str, AnyEntry]) -> list[AnyEntry]:
    """Each once; they may stand in ``catalogue`` under several names."""
    return list({entry.name: entry for entry in catalogue.values()}.values())


def matching(kind: str, part: str, catalogue: Mapping[str, AnyEntry]) -> list[AnyEntry]:
    """The entries with ``part`` in their names, or else in those that other libraries have for them.

    Raises LabelError, with the mend, where there are none.
    """
    name = part.partition("(")[0].strip()
    entries, wanted = _entries(catalogue), key(name)
    found = [entry for entry in entries if any(wanted in key(one) for one in (entry.name, *entry.aliases))]
    found = found or [entry for entry in entries if any(wanted in key(one) for one in entry.frameworks)]
    if not found and len(name) <= _LONG:
        meant = {meaning.entry.name for meaning in _meanings(kind, name, catalogue)}
        found = [entry for entry in entries if entry.name in meant]
    if not found:
        raise LabelError(unknown(kind, name, catalogue))
    return found


def unknown(kind: str, name: str, catalogue: Mapping[str, AnyEntry]) -> str:
    """What to say of a name that nothing has, with what may be meant."""
    why = why_not(name) if kind == "activation" else ""
    hint = f": {why}" if why else _suggestion(name, catalogue)
    return f"unknown {kind} {quoted(name)}{hint} ({labels.listing(kind, catalogue)})"


def _suggestion(name: str, catalogue: Mapping[str, AnyEntry]) -> str:
    """``; did you mean 'x'?`` where a name of ours, or another library's for the same, is near ``name``."""
    if len(name) > _LONG:
        return ""
    wanted = key(name.rpartition(".")[2])
    for affix in ("initializer", "init", "activation"):
        wanted = wanted.removesuffix(affix) or wanted
    near = list(_near(wanted, _known(catalogue)))
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _known(catalogue: Mapping[str, AnyEntry]) -> dict[str, str]:
    """From the keys of all names to names of ours."""
    known: dict[str, str] = {}
    for entry in _entries(catalogue):
        for own in (entry.name, *entry.aliases):
            known.setdefault(key(own), own)
    for entry in _entries(catalogue):
        for place in entry.frameworks:
            known.setdefault(key(place.partition(" (")[0].rpartition(".")[2]), entry.name)
    return known


def _near(wanted: str, known: Mapping[str, str]) -> Iterator[str]:
    if wanted in known:
        yield known[wanted]
    elif begun := [own for own in known.values() if own.startswith(f"{wanted}_")]:
        yield from begun[:2]
    elif close := difflib.get_close_matches(wanted, list(known), n=1, cutoff=_NEAR):
        yield known[close[0]]
    else:  # QuickGELU
        yield from _longest(known[part] for part in known if len(part) >= _TELLING and part in wanted)


def _longest(names: Iterable[str]) -> list[str]:
    return sorted(names, key=len)[-1:]
