"""Names as other libraries write them: what ``nn.ReLU`` or ``tf.keras.initializers.HeNormal`` is here.

An entry says in ``frameworks`` where it is found. What stands there in brackets, behind a name, is read: our
argument with a number is their default, their argument with one of ours is their name for it, and any other
must be given there for it to be this entry.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from winit.network import labels
from winit.network.labels import Call, LabelError, Value, arguments_of, parse


class Entry(labels.Entry, Protocol):
    """What a catalogue has that knows other libraries."""

    @property
    def frameworks(self) -> tuple[str, ...]: ...
    @property
    def source(self) -> str: ...


AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(frozen=True)
class Place:
    """A name of another library, and what its arguments mean here."""

    name: str
    """With all its dots: ``torch.nn.GELU``."""
    given: Mapping[str, Value] = field(default_factory=dict)
    """Arguments that are to be given there for it to be this entry."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Of our arguments, where theirs are others."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """From their arguments to ours."""
    former: bool = False
    """Whether it is what older versions had under that name."""


def place_of(text: str, function: Callable[..., Any]) -> Place:
    """One of an entry's ``frameworks``, read; ``function`` is the entry's."""
    name, _, note = text.partition(" (")
    try:
        pairs = parse(f"note({note}").keyword if note else ()
    except LabelError:  # words for people
        return Place(name, former=note.startswith("before "))
    ours = arguments_of(function).parameters
    given: dict[str, Value] = {}
    defaults: dict[str, Value] = {}
    renamed: dict[str, str] = {}
    for argument, value in pairs:
        if argument in ours:
            defaults[argument] = value
        elif isinstance(value, str) and value in ours:
            renamed[argument] = value
        else:
            given[argument] = value
    return Place(name, given, defaults, renamed)


@dataclass(frozen=True)
class Meaning(Generic[AnyEntry]):
    """An entry that a name may stand for, and where it has that name; None where that is here."""

    entry: AnyEntry
    place: Place | None = None
    others: Mapping[str, Value] = field(default_factory=dict)
    """Arguments with which that name is another entry."""

    @property
    def whose(self) -> str:
        """Where it has that name: ``torch.nn.GELU``, or the paper."""
        return self.place.name if self.place else self.entry.source.partition(",")[0]

    @property
    def library(self) -> str:
        """``torch`` of ``torch.nn.GELU``."""
        return self.whose.partition(".")[0]

    @property
    def leaf(self) -> str:
        """``GELU`` of ``torch.nn.GELU``."""
        return self.whose.rpartition(".")[2]

    def call(self, call: Call) -> Call | None:
        """``call`` with our arguments for theirs; None where with theirs it is another entry.

        Raises LabelError where an argument has no meaning here.
        """
        if self.place is None:
            return call
        theirs = self._named(call, self.place)
        if not self._is_this(dict(theirs), self.place):
            return None
        meant: dict[str, Value] = {}
        for name, value in theirs:
            known = self._ours(name, value, self.place)
            if known in meant:
                raise LabelError(f"{known} is given twice")
            if known is not None:
                meant[known] = value
        return Call(self.entry.name, (), tuple({**self.place.defaults, **meant}.items()))

    def _named(self, call: Call, place: Place) -> list[tuple[str, Value]]:
        """The arguments of ``call``, all with names, theirs."""
        names = list(SIGNATURES.get(place.name) or arguments_of(self.entry.function).parameters)
        positional = call.positional
        if len(positional) > len(names) and isinstance(positional[-1], bool) and self.library == "torch":
            positional = positional[:-1]  # inplace
        if len(positional) > len(names):
            takes = ", ".join(names) or "none"
            raise LabelError(f"{len(positional)} arguments are given, and it takes {takes}")
        return [*zip(names, positional, strict=False), *call.keyword]

    def _is_this(self, theirs: Mapping[str, Value], place: Place) -> bool:
        """Whether with these arguments the name is this entry, and not another one."""
        others = {name: value for name, value in self.others.items() if name not in place.given}
        return all(name in theirs and _same(theirs[name], value) for name, value in place.given.items()) and (
            not any(name in theirs and _same(theirs[name], value) for name, value in others.items())
        )

    def _ours(self, name: str, value: Value, place: Place) -> str | None:
        """Our name of an argument of theirs; None where it changes nothing. Raises LabelError."""
        known = place.renamed.get(name, name)
        if known in arguments_of(self.entry.function).parameters:
            return known
        if name in _RANDOM and value is not None:
            raise LabelError(f"it has no argument {name}; the seeds are those of the network")
        default = SIGNATURES.get(place.name, {})
        if name in default and name not in place.given and not _same(value, default[name]):
            raise LabelError(f"{name} is {value}; the catalogue has it with {default[name]} alone")
        return None if name in {*default, *place.given, *_OF_NO_EFFECT, *_RANDOM} else known


SIGNATURES: dict[str, dict[str, Value]] = {
    "torch.nn.GELU": {"approximate": "none"},
    "jax.nn.gelu": {"approximate": True},
    "keras.activations.gelu": {"approximate": False},
    "tensorflow.nn.gelu": {"approximate": False},
    "tensorflow.nn.silu": {"beta": 1.0},
    "tensorflow.nn.swish": {"beta": 1.0},
    "torch.nn.Hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "torch.nn.PReLU": {"num_parameters": 1, "init": 0.25},
    "torch.nn.Softplus": {"beta": 1.0, "threshold": 20.0},
    "keras.activations.relu": {"negative_slope": 0.0, "max_value": None, "threshold": 0.0},
}
"""Their arguments and defaults, in order, where they have some that we have not."""
_OF_NO_EFFECT = {"inplace", "name", "dtype"}
_RANDOM = {"seed", "generator"}


def _same(one: Value, other: Value) -> bool:
    return one == other or str(one).lower() == str(other).lower()


_LIBRARIES: dict[str, tuple[str, ...]] = {
    "keras": ("keras",),
    "activations": ("keras",),
    "layers": ("keras",),
    "tensorflow": ("tensorflow",),
    "jax": ("jax",),
    "flax": ("flax", "jax"),
    "linen": ("flax", "jax"),
    "nnx": ("flax", "jax"),
    "haiku": ("haiku",),
    "sklearn": ("sklearn",),
    "torch": ("torch",),
    "functional": ("torch",),
    "init": ("torch",),
    "numpy": ("numpy",),
    "initializers": ("keras", "jax"),
    "nn": ("torch", "jax", "tensorflow"),
}
"""Whose a dotted name is, by its parts; the first of these that it has counts."""
_SHORT = {"tf": "tensorflow", "jnp": "jax.numpy", "f": "torch.nn.functional", "hk": "haiku", "np": "numpy"}
_INNER = {"activation", "datasets", "math", "modules", "neural_network", "ops", "random", "scipy", "special"}
"""Other parts of their names."""


def meanings(name: str, entries: Iterable[AnyEntry]) -> list[Meaning[AnyEntry]]:
    """What ``name``, which is no entry's as it stands, may stand for; several where libraries differ.

    Case and underscores do not count, but where they tell two libraries apart.
    """
    known = list(entries)
    prefix, leaf = _taken_apart(name)
    there = _there(known)
    if prefix is None:
        return []
    if prefix:
        return _of_library(prefix, leaf, there)
    if leaf.endswith("_") and (of_torch := _of_library(["init"], leaf, there)):
        return of_torch
    wanted = key(leaf)
    here = [Meaning(entry) for entry in known if wanted in map(key, (entry.name, *entry.aliases))]
    ours = [meaning.entry for meaning in here]
    same = {place for entry in ours for place in entry.frameworks}
    return here + [
        meaning
        for meaning in there
        if key(meaning.leaf) == wanted
        # Of two that are the same ours counts, since it is not one library's.
        and (meaning.entry in ours or same.isdisjoint(meaning.entry.frameworks))
    ]


def key(name: str) -> str:
    """What two spellings of a name have in common."""
    return re.sub(r"[\s_-]", "", name).lower()


def _there(entries: Iterable[AnyEntry]) -> list[Meaning[AnyEntry]]:
    """All names that other libraries have now for the entries."""
    read = [(entry, place_of(text, entry.function)) for entry in entries for text in entry.frameworks]
    given: dict[str, dict[str, Value]] = {}
    for _, place in read:
        given.setdefault(place.name, {}).update(place.given)
    return [Meaning(entry, place, given[place.name]) for entry, place in read if not place.former]


def _taken_apart(name: str) -> tuple[list[str] | None, str]:
    """The parts before the last dot, written out, and what is behind it; None where they are no library's."""
    *parts, leaf = name.split(".")
    prefix = [part for short in parts for part in _SHORT.get(short.lower(), short.lower()).split(".")]
    if prefix[:2] == ["tensorflow", "keras"]:
        del prefix[0]
    known = all(part in _LIBRARIES or part in _INNER for part in prefix)
    return (prefix if known else None), leaf


def _of_library(prefix: list[str], leaf: str, there: list[Meaning[AnyEntry]]) -> list[Meaning[AnyEntry]]:
    dotted = ".".join([*prefix, leaf])
    libraries = next((found for part, found in _LIBRARIES.items() if part in prefix), ())
    found = [meaning for meaning in there if meaning.whose == dotted]
    if not found and prefix != ["initializers"]:  # Keras has its names of JAX's form too
        found = [meaning for meaning in there if meaning.whose.endswith(f".{dotted}")]
    if not found:
        named = [meaning for meaning in there if key(meaning.leaf) == key(leaf)]
        found = [meaning for meaning in named if meaning.library in libraries]
        if not found and "tensorflow" in libraries:  # tf.initializers are those of Keras
            found = [meaning for meaning in named if meaning.library == "keras"]
    own = [meaning for meaning in found if meaning.entry.name.startswith(f"{meaning.library}.")]
    return own or found


def why_not(name: str) -> str:
    """Why what other libraries have by that name is no activation; nothing where there is no such thing."""
    prefix, leaf = _taken_apart(name)
    wanted = re.sub(r"[123]d$", "", key(leaf))
    if wanted == "linear" and prefix is not None and "activations" in prefix:
        return ""
    if wanted == "rrelu":
        return "it is random; leaky_relu(negative_slope=11/48) is what it is behind training"
    if wanted in _MIXING:
        return "it mixes the units of a layer, and an activation here takes each unit by itself"
    if wanted in _LAYERS:
        return "it is a layer of its own, and an activation here is what stands behind each linear layer"
    return ""


_MIXING = {
    "attention", "batchnorm", "batchnormalization", "bilinear", "crelu", "geglu", "glu", "groupnorm",
    "groupnormalization", "instancenorm", "layernorm", "layernormalization", "localresponsenorm",
    "logsoftmax", "logsumexp", "maxout", "multiheadattention", "multiheaddotproductattention", "normalize",
    "reglu", "rmsnorm", "rmsnormalization", "softmax", "softmin", "sparsemax", "standardize", "swiglu",
}  # fmt: skip
_LAYERS = {
    "alphadropout", "avgpool", "averagepooling", "conv", "convtranspose", "dense", "dropout", "embedding",
    "flatten", "gaussiandropout", "gaussiannoise", "gru", "linear", "lstm", "maxpool", "maxpooling", "rnn",
    "sequential",
}  # fmt: skip
