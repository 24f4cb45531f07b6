"""Names with arguments, written as calls: ``he_normal``, ``normal(std=0.01)``.

A catalogue entry is a function whose first parameter is its subject (a layer, a pre-activation) and
whose other parameters are the arguments a label may give. Two spellings of one thing have one
canonical label: arguments in signature order, those that equal the default left out, expressions as the
numbers that they are.
"""

import ast
import difflib
import inspect
import itertools
import keyword
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, ForwardRef, Literal, Protocol, TypeVar, Union, get_args, get_origin

import numpy as np

from winit.errors import LONGEST_QUOTE, RaisedError, quoted, shortened
from winit.network.arithmetic import ExpressionError, number_in, number_of

_TYPE_NAMES = {float: "a number", int: "a whole number", bool: "true or false", str: "a word"}
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = {"none", "null"}

Value = float | int | str | bool | None

# A path may have spaces in it; nothing else may.
_NAME = r"[^()\s][^()]*(?:\.py:\w+|\.np[yz])|[^()\s]+"
_CALL = re.compile(rf"\s*(?P<name>{_NAME})\s*(?:\((?P<arguments>.*)\)\s*)?", re.DOTALL)
# An error lists a catalogue of so few entries whole.
_FEW = 8
# A name as long as this resembles none.
_LONG = 100
_LARGEST = 2**63
LONGEST = 4096
"""Characters of a label."""
LONGEST_ERROR = 1000
"""Characters of what a ``LabelError`` says."""

LONGEST_MESSAGE = 500
"""Characters of what an error says that are kept."""


class LabelError(ValueError):
    """A label that names nothing, or gives arguments that do not fit; the message, a line, says the mend."""

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, LONGEST_ERROR))


@dataclass(frozen=True)
class Call:
    """A label taken apart: its name and the arguments as written."""

    name: str
    positional: tuple[Value, ...] = ()
    keyword: tuple[tuple[str, Value], ...] = ()


def parse(text: str) -> Call:
    """Take a label apart. Raises LabelError where it is not of the form ``name(argument=value, …)``."""
    if len(text) > LONGEST:
        raise LabelError(f"{quoted(text)} is longer than {LONGEST:,} characters")
    match = _CALL.fullmatch(text)
    if match is None or not match["name"].isprintable():
        raise LabelError(f"{quoted(text)} is not of the form name or name(argument=value){_mend(text)}")
    source = f"f({match['arguments'] or ''})"
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes that Python does not know
            tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LabelError(f"{quoted(text)} is not of the form name(argument=value){_mend(text)}") from None
    if (
        not isinstance(tree, ast.Call)
        or not isinstance(tree.func, ast.Name)
        or any(argument.arg is None for argument in tree.keywords)
    ):
        raise LabelError(f"{quoted(text)} is not of the form name(argument=value)")
    names = [argument.arg for argument in tree.keywords]
    if twice := {name for name in names if names.count(name) > 1}:
        raise LabelError(f"{quoted(text)} gives {', '.join(map(quoted, twice))} twice")

    def value_of(node: ast.expr) -> Value:
        try:
            value = _value(node)
        except ExpressionError as error:
            written = quoted(ast.get_source_segment(source, node))
            raise LabelError(f"{written} in {quoted(text)} {error}") from None
        if isinstance(value, int) and abs(value) >= _LARGEST:
            raise LabelError(f"{quoted(value)} in {quoted(text)} is too large")
        return value

    return Call(
        match["name"],
        tuple(map(value_of, tree.args)),
        tuple((str(argument.arg), value_of(argument.value)) for argument in tree.keywords),
    )


_SPACED = re.compile(r"[A-Za-z_]\w*(?:[ -][A-Za-z]\w*)+")


def _mend(text: str) -> str:
    """What to write instead, where it can be told what kept a label from being one."""
    plain = text.strip()
    if plain.count("(") != plain.count(")"):
        return "; a bracket is open: in a list of YAML a label with a comma in it wants quotation marks"
    if _SPACED.fullmatch(plain):
        return f"; a name has no spaces: {re.sub('[ -]', '_', plain.lower())}"
    if "," in re.sub(r"\([^()]*\)", "", plain):
        return "; several are a list, [relu, tanh]"
    if re.search(r"\d,\d", plain):
        return "; a decimal has a point, 0.02"
    return ""


def _value(node: ast.expr) -> Value:
    """A word, true or false, None, or a number, which may be an expression. Raises ExpressionError."""
    if isinstance(node, ast.Name):  # mode=fan_out, without quotes, as YAML users write it
        return node.id
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (bool, str))):
        return node.value
    return number_of(node)


def bind(call: Call, function: Callable[..., Any]) -> dict[str, Value]:
    """The arguments of ``call`` for ``function``, every one, defaults filled in, in signature order.

    The function's annotations (float, int, bool, str, Literal) say what is allowed. Raises
    LabelError on an argument that is unknown, missing, given twice or of the wrong kind.
    """
    signature = arguments_of(function)
    for name, _ in call.keyword:
        if name not in signature.parameters:
            known = ", ".join(signature.parameters) or "none"
            hint = suggestion(name, signature.parameters)
            raise LabelError(f"{_short(call.name)} has no argument {quoted(name)}{hint} (it has: {known})")
    try:
        bound = signature.bind(*call.positional, **dict(call.keyword))
    except TypeError as error:
        said = shortened(str(error), LONGEST_QUOTE)
        raise LabelError(f"{_short(call.name)}{signature}: {said}") from None
    bound.apply_defaults()
    return {
        name: _checked(call.name, signature.parameters[name], value)
        for name, value in bound.arguments.items()
    }


def arguments_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of ``function`` without its first parameter, the subject.

    Raises LabelError where the function is not of that form: a subject, then arguments with names.
    """
    try:
        _, *parameters = _signature(function).parameters.values()
    except (ValueError, TypeError) as error:
        name = getattr(function, "__name__", function)
        raise LabelError(f"{name} must take its subject as its first parameter ({error})") from None
    parameters = [p.replace(annotation=_evaluated(p.annotation, function)) for p in parameters]
    if any(p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY} for p in parameters):
        raise LabelError(f"{function.__name__} must name its arguments: no *args, no **kwargs, no /")
    return inspect.Signature(parameters)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Also where an annotation has a name that is not there at run time."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _evaluated(annotation: Any, function: Callable[..., Any]) -> Any:
    """An annotation that is a string, as it is meant; none where its names are not there at run time."""
    while isinstance(annotation, str):
        try:
            annotation = eval(annotation, getattr(inspect.unwrap(function), "__globals__", {}))  # noqa: S307
        except Exception:  # noqa: BLE001 - it only says what is allowed, and the default does as well
            return inspect.Parameter.empty
    return inspect.Parameter.empty if isinstance(annotation, ForwardRef) else annotation


def _plain(part: Any) -> Any:
    """Python's own number type for NumPy's."""
    if isinstance(part, type):
        for plain, kinds in ((float, np.floating), (int, np.integer), (bool, np.bool_)):
            if issubclass(part, kinds):
                return plain
    return part


def _checked(owner: str, parameter: inspect.Parameter, value: Value) -> Value:
    allowed = parameter.annotation
    if allowed is parameter.empty:  # a user's function need not say; its default does
        nothing = parameter.default is parameter.empty or parameter.default is None
        allowed = object if nothing else type(parameter.default)
    choices = tuple(itertools.chain.from_iterable(_choices(part) for part in _parts(allowed)))
    types = [_plain(part) for part in _parts(allowed) if get_origin(part) is not Literal]
    if value is parameter.default or value in choices:
        return value
    if parameter.default is None and isinstance(value, str) and value.lower() in _NOTHING:
        return None
    if isinstance(value, str) and str not in types and object not in types:
        value = _meant(value, types)
    if float in types and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise LabelError(f"{owner}: {parameter.name} is {value}; it must be finite")
        return float(value)
    if type(value) is float and value.is_integer() and int in types and abs(value) < _LARGEST:
        return int(value)
    if type(value) in types or object in types:
        return value
    wanted = [f"not {_TYPE_NAMES.get(part, getattr(part, '__name__', part))}" for part in types]
    words = [str(choice) for choice in choices]
    if words:
        wanted.append(f"allowed: {', '.join(words)}")
    hint = suggestion(str(value), words)
    raise LabelError(f"{_short(owner)}: {parameter.name} is {quoted(value)}{hint} ({'; '.join(wanted)})")


def _meant(word: str, types: list[Any]) -> Value:
    """What a word stands for where words are not allowed: true or false, a number, or nothing but itself."""
    if bool in types and word.lower() in _TRUTHS:
        return _TRUTHS[word.lower()]
    if int in types or float in types:
        try:
            return number_in(word)
        except ExpressionError:
            pass
    return word


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the one type that it is."""
    return get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def canonical(name: str, function: Callable[..., Any], arguments: Mapping[str, Value]) -> str:
    """The one label of ``name`` with these arguments."""
    parameters = arguments_of(function).parameters
    shown = [
        f"{key}={_written(value)}" for key, value in arguments.items() if value != parameters[key].default
    ]
    return f"{name}({', '.join(shown)})" if shown else name


def _written(value: Value) -> str:
    """Words stand without quotes where they can."""
    plain = isinstance(value, str) and value.isidentifier() and not keyword.iskeyword(value)
    return str(value) if plain or not isinstance(value, str) else repr(value)


def signature_of(name: str, function: Callable[..., Any]) -> str:
    """The name and the arguments of an entry, as a call; an argument without a default stands alone."""
    parameters = arguments_of(function).parameters.values()
    arguments = [p.name if p.default is p.empty else f"{p.name}={p.default}" for p in parameters]
    return f"{name}({', '.join(arguments)})" if arguments else name


def _short(name: str) -> str:
    return shortened(name, LONGEST_QUOTE)


def described(error: BaseException) -> str:
    """What was raised, with the first line of what it says, ``printable``; of a group, its first error too.

    An exception may be of anybody's class: that it cannot be asked what it says is said too.
    """
    if isinstance(error, RaisedError):
        return error.said
    words = [_said(error)]
    if isinstance(error, BaseExceptionGroup):
        innermost: BaseException = error
        while isinstance(innermost, BaseExceptionGroup):
            innermost = BaseExceptionGroup.exceptions.__get__(innermost)[0]
        words.append(f"first {_said(innermost)}")
    return printable(", ".join(words))


def _said(error: BaseException) -> str:
    """The name of the class, whatever a metaclass makes of it, and the first line of the message."""
    name = type.__dict__["__name__"].__get__(type(error))
    try:
        said = str.strip(str(error))
    except BaseException as another:  # noqa: BLE001 - what ``__str__`` raises is as little of our business
        said = f"(its message cannot be read: {type.__dict__['__name__'].__get__(type(another))})"
    lines = said[:LONGEST_MESSAGE].splitlines()
    return f"{name}: {lines[0]}" if lines else str(name)


def printable(text: str) -> str:
    """``text`` on one line that every file, terminal and table can hold, and of a bounded length.

    What does not show, or does something to the rest, stands as its escape: lone surrogates, as in names of
    files that are not UTF-8, line ends, terminals' and other control characters, marks of direction.
    """
    return shortened(text, LONGEST_MESSAGE)


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near ``name``, else nothing."""
    if len(name) > _LONG:
        return ""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


class Entry(Protocol):
    """What a catalogue has: a name, other names for it, and the function with the arguments."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def function(self) -> Callable[..., Any]: ...


AnyEntry = TypeVar("AnyEntry", bound=Entry)


def with_aliases(catalogue: Mapping[str, AnyEntry]) -> dict[str, AnyEntry]:
    """The entries by all their names."""
    return {name: entry for entry in catalogue.values() for name in (entry.name, *entry.aliases)}


def resolve(
    kind: str,
    label: str,
    catalogue: Mapping[str, AnyEntry],
    users: Callable[[str], AnyEntry] | None = None,
) -> tuple[str, AnyEntry, tuple[tuple[str, Value], ...]]:
    """Look ``label`` up: its canonical form, its entry, and its arguments in signature order.

    ``users`` makes the entry of a name with a colon, which is a user's own function. Raises
    LabelError, with the mend, where nothing has that name or the arguments do not fit.
    """
    call = parse(label)
    if ":" in call.name and users is not None:
        entry = users(call.name)
    elif call.name in catalogue:
        entry = catalogue[call.name]
    else:
        hint = suggestion(call.name, catalogue)
        raise LabelError(f"unknown {kind} {quoted(call.name)}{hint} ({listing(kind, catalogue)})")
    arguments = bind(call, entry.function)
    return canonical(entry.name, entry.function, arguments), entry, tuple(arguments.items())


def listing(kind: str, catalogue: Mapping[str, Entry]) -> str:
    """Where to see what there is, or that itself where it is little."""
    few = len(catalogue) <= _FEW
    return f"allowed: {', '.join(catalogue)}" if few else f"`winit {kind}s` lists them"
