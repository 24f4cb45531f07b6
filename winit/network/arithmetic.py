"""Numbers as people write them: ``1/sqrt(3)``, ``2**10``, ``1e3``, ``1_000``, ``-pi/2``.

An expression has numbers, ``+ - * / **``, brackets, ``sqrt(…)`` and ``pi``, and means what it means to
Python: whole numbers stay whole, but for ``/`` and ``sqrt``. Its time and size are bounded, whatever is
written.
"""

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable
from decimal import Decimal

from winit.errors import quoted

Number = int | float

ALLOWED = "numbers, + - * / **, brackets, sqrt(…) and pi"
"""What an expression may have in it."""

_NONE = "is not a number or an expression"
LONGEST = 1000
"""Characters of an expression."""
_DEEPEST = 100
"""Operations in one another."""
_MOST_BITS = 2048
"""Of a whole number; the largest float has 1024."""

_MODULES = ("math", "np", "numpy")


class ExpressionError(ValueError):
    """What is written is no number: what is wrong with it, a phrase behind the expression, with the mend."""


def number_in(text: str) -> Number:
    """The number that ``text`` is an expression of. Raises ExpressionError where it is none."""
    if len(text) > LONGEST:
        raise ExpressionError(f"is longer than {LONGEST:,} characters; write the number")
    try:
        with warnings.catch_warnings(action="ignore"):  # of what Python is about to refuse, such as 1if
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{_NONE}; that has {ALLOWED}") from None
    return number_of(tree)


def whole_in(text: str) -> int:
    """The whole number that ``text`` is, as ``1e3`` and ``2**10`` are. Raises ExpressionError otherwise."""
    if _RANGE.fullmatch(text.strip()):  # as a difference it would be taken without a word
        raise ExpressionError(
            "is not one whole number; write [10, 20, 30], and seeds as {first: 0, count: 10}"
        )
    number = _plainly(text, "a whole number")
    if isinstance(number, float) and not number.is_integer():
        near = f"; write {math.floor(number)} or {math.ceil(number)}" if math.isfinite(number) else ""
        raise ExpressionError(f"is not a whole number{near}")
    return int(number)


def real_in(text: str) -> Number:
    """As ``number_in``; the error says too how what many write otherwise is written, ``1,000`` say."""
    return _plainly(text, "a number")


def _plainly(text: str, what: str) -> Number:
    plain = text.strip()
    if re.fullmatch("[0-9]{1,1000}", plain):  # Python itself takes no 007
        return int(plain)
    try:
        return number_in(text)
    except ExpressionError as error:
        if mend := how_to_write(plain):
            raise ExpressionError(f"is not {what}{mend}") from None
        if plain.isidentifier() or _NONE in str(error):
            raise ExpressionError(f"is not {what}; write one such as 1000, or an expression") from None
        raise ExpressionError(f"is not {what}: it {error}") from None


_SETS = re.compile(r"([+-]?[0-9]{1,3})(?:([, '’])[0-9]{3})(?:\2[0-9]{3})*(?:\.[0-9]+)?")
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_SCALED = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?) ?([kKM%])")  # a small m may be minutes
_SCALES = {"k": Decimal(1000), "K": Decimal(1000), "M": Decimal(10**6), "%": Decimal("0.01")}
_RANGE = re.compile(r"[0-9]+ ?(?:-|–|\.\.\.?|…|:) ?[0-9]+")


def how_to_write(text: str) -> str:
    """``; write 1000`` for 1,000, 1 000 and 1k, and likewise; nothing where that is not sure."""
    if len(text) > LONGEST:
        return ""
    if _SETS.fullmatch(text):
        return "; write " + re.sub("[, '’]", "", text)
    if _COMMA.fullmatch(text):
        return f"; write {text.replace(',', '.')}"
    if scaled := _SCALED.fullmatch(text):
        number = Decimal(scaled[1]) * _SCALES[scaled[2]]
        return f"; write {number.normalize():f}"
    return ""


def number_of(node: ast.expr) -> Number:
    """The number that an expression is, taken apart by Python. Raises ExpressionError where it is none.

    A literal may be infinite, ``1e999``; what is computed is finite.
    """
    return _number(node, 0)


def _number(node: ast.expr, depth: int) -> Number:
    if depth > _DEEPEST:
        raise ExpressionError(f"has more than {_DEEPEST} operations in one another; write the number")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _number(operand, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, depth + 1)
        case ast.BinOp(left=left, op=sign, right=right):
            return _combined(_number(left, depth + 1), sign, _number(right, depth + 1))
        case ast.Call(func=function, args=[argument], keywords=[]) if _name(function) == "sqrt":
            return _computed(_root, _number(argument, depth + 1))
        case ast.Name() | ast.Attribute() if _name(node) == "pi":
            return math.pi
    raise ExpressionError(_unknown(node))


def _name(node: ast.expr) -> str | None:
    """``sqrt`` of ``sqrt``, ``math.sqrt`` and ``np.sqrt``; None where it is no name."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in _MODULES:
            return name
    return None


def _unknown(node: ast.expr) -> str:
    if isinstance(node, ast.Call) and _name(node.func) == "sqrt":
        return "has a sqrt of other than one number; write sqrt(2)"
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(named, (ast.Name, ast.Attribute)):
        return f"has {quoted(_dotted(named))} in it, which is not known here; an expression has {ALLOWED}"
    return f"{_NONE}; that has {ALLOWED}"


def _dotted(node: ast.expr) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id] if isinstance(node, ast.Name) else parts))


def _combined(left: Number, sign: ast.operator, right: Number) -> Number:
    if isinstance(sign, ast.BitXor):
        raise ExpressionError("has ^ in it; write ** for a power")
    if type(sign) not in _OPERATORS:
        raise ExpressionError(f"has an operation that is not known here; an expression has {ALLOWED}")
    return _computed(_OPERATORS[type(sign)], left, right)


def _computed(operation: Callable[..., Number | complex], *operands: Number) -> Number:
    """A finite real number. Raises ExpressionError where that is none."""
    try:
        result = operation(*operands)
    except ZeroDivisionError:
        raise ExpressionError("divides by 0; write a number that is finite") from None
    except OverflowError:
        result = math.inf
    if isinstance(result, complex):
        raise ExpressionError("has a root of a negative number in it; write one of 0 or above")
    if not (result.bit_length() <= _MOST_BITS if isinstance(result, int) else math.isfinite(result)):
        raise ExpressionError("is beyond the largest number, 1.8e308; write one that is finite")
    return result


def _power(base: Number, exponent: Number) -> Number | complex:
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1:
        # Seen before it is computed, for years perhaps. It has at least half so many bits.
        most = base.bit_length() * exponent
        if most > 2 * _MOST_BITS:
            return math.inf
    return base**exponent


def _root(value: Number) -> Number | complex:
    return 1j if value < 0 else math.sqrt(value)


_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number | complex]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
}
