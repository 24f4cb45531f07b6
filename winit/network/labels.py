"""Names with arguments, written as calls: ``he_normal``, ``normal(std=0.01)``.

A catalogue entry is a function whose first parameter is its subject (a layer, a pre-activation) and
whose other parameters are the arguments a label may give. Two spellings of one thing have one
canonical label: arguments in signature order, those that equal the default left out.
"""

import ast
import difflib
import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Protocol, TypeVar, Union, get_args, get_origin

_TYPE_NAMES = {float: "a number", int: "a whole number", bool: "true or false", str: "a word"}

Value = float | int | str | bool

_CALL = re.compile(r"\s*(?P<name>[^()\s]+)\s*(?:\((?P<arguments>.*)\)\s*)?", re.DOTALL)


class LabelError(ValueError):
    """A label that names nothing, or gives arguments that do not fit; the message says the mend."""


@dataclass(frozen=True)
class Call:
    """A label taken apart: its name and the arguments as written."""

    name: str
    positional: tuple[Value, ...] = ()
    keyword: tuple[tuple[str, Value], ...] = ()


def parse(text: str) -> Call:
    """Take a label apart. Raises LabelError where it is not of the form ``name(argument=value, …)``."""
    match = _CALL.fullmatch(text)
    if match is None:
        raise LabelError(f"{text!r} is not of the form name or name(argument=value)")
    try:
        tree = ast.parse(f"f({match['arguments'] or ''})", mode="eval").body
    except SyntaxError:
        raise LabelError(f"{text!r} is not of the form name(argument=value)") from None
    if (
        not isinstance(tree, ast.Call)
        or not isinstance(tree.func, ast.Name)
        or any(keyword.arg is None for keyword in tree.keywords)
    ):
        raise LabelError(f"{text!r} is not of the form name(argument=value)")
    return Call(
        match["name"],
        tuple(_value(node, text) for node in tree.args),
        tuple((str(keyword.arg), _value(keyword.value, text)) for keyword in tree.keywords),
    )


def _value(node: ast.expr, text: str) -> Value:
    if isinstance(node, ast.Name):  # mode=fan_out, without quotes, as YAML users write it
        return node.id
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = None
    if not isinstance(value, (float, int, str)):
        raise LabelError(f"{ast.unparse(node)!r} in {text!r} is not a number or a word")
    return value


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
            raise LabelError(f"{call.name} has no argument {name!r}{hint} (it has: {known})")
    try:
        bound = signature.bind(*call.positional, **dict(call.keyword))
    except TypeError as error:
        raise LabelError(f"{call.name}{signature}: {error}") from None
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
        _, *parameters = inspect.signature(function, eval_str=True).parameters.values()
    except (ValueError, NameError, TypeError) as error:
        raise LabelError(f"{function!r} must take its subject as its first parameter ({error})") from None
    if any(p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY} for p in parameters):
        raise LabelError(f"{function.__name__} must name its arguments: no *args, no **kwargs, no /")
    return inspect.Signature(parameters)


def _checked(owner: str, parameter: inspect.Parameter, value: Value) -> Value:
    allowed = parameter.annotation
    if allowed is parameter.empty:  # a user's function need not say; its default does
        allowed = object if parameter.default in {parameter.empty, None} else type(parameter.default)
    choices = tuple(itertools.chain.from_iterable(_choices(part) for part in _parts(allowed)))
    types = [part for part in _parts(allowed) if get_origin(part) is not Literal]
    if value in choices:
        return value
    if float in types and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise LabelError(f"{owner}: {parameter.name} is {value}; it must be finite")
        return float(value)
    if type(value) in types or object in types:
        return value
    wanted = [f"not {_TYPE_NAMES.get(part, part.__name__)}" for part in types]
    if choices:
        wanted.append(f"allowed: {', '.join(choices)}")
    hint = suggestion(str(value), choices)
    raise LabelError(f"{owner}: {parameter.name} is {value!r}{hint} ({'; '.join(wanted)})")


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
    return repr(value) if isinstance(value, str) and not value.isidentifier() else str(value)


def signature_of(name: str, function: Callable[..., Any]) -> str:
    """The name and the arguments of an entry, as a call; an argument without a default stands alone."""
    parameters = arguments_of(function).parameters.values()
    arguments = [p.name if p.default is p.empty else f"{p.name}={p.default}" for p in parameters]
    return f"{name}({', '.join(arguments)})" if arguments else name


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near ``name``, else nothing."""
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
        raise LabelError(
            f"unknown {kind} {call.name!r}{suggestion(call.name, catalogue)} (`winit {kind}s` lists them)"
        )
    arguments = bind(call, entry.function)
    return canonical(entry.name, entry.function, arguments), entry, tuple(arguments.items())
