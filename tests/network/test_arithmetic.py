"""Expressions: what Python computes, within bounds, and one line that says the mend for everything else."""

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winit.network.arithmetic import LONGEST, ExpressionError, number_in, number_of, real_in, whole_in

NUMBERS = st.integers(0, 10**6).map(str) | st.floats(0, allow_infinity=False).map(repr)
SIGNS = st.sampled_from(["+", "-", "*", "/", "**"])
ROOTS = st.sampled_from(["sqrt", "math.sqrt", "np.sqrt", "numpy.sqrt"])
EXPRESSIONS = st.recursive(
    NUMBERS | st.sampled_from(["pi", "math.pi", "np.pi", "numpy.pi", "1_000", "0x10", ".5", "2.", "1E3"]),
    lambda inner: st.one_of(
        st.tuples(inner, SIGNS, inner).map(" ".join),
        st.tuples(inner, SIGNS, inner).map("".join),
        inner.map("({})".format),
        inner.map("-{}".format),
        inner.map("+{}".format),
        st.tuples(ROOTS, inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
    ),
    max_leaves=12,
)


def small_powers(tree):
    """Whether Python can be asked: no power is a whole number of thousands of digits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            try:
                base, exponent = number_of(node.left), number_of(node.right)
            except ExpressionError:
                return False
            if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > 10_000:
                return False
    return True


def by_python(text):
    """What Python itself computes; None where that is no finite real number."""
    if not small_powers(ast.parse(text, mode="eval")):
        return None
    names = {"sqrt": math.sqrt, "pi": math.pi, "math": math, "np": math, "numpy": math}
    try:
        value = eval(text, names)  # noqa: S307
    except (ArithmeticError, ValueError, TypeError):
        return None
    real = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if real else None


@given(EXPRESSIONS)
def test_an_expression_is_what_python_computes(text):
    try:
        found = number_in(text)
    except ExpressionError:
        found = None
    there = by_python(text)
    if found is None:  # then Python has none, or one that is, or comes from, a number beyond the bounds
        assert there is None or beyond(text)
    else:
        assert type(found) is type(there)
        assert found == there


def beyond(text):
    """Whether some part of an expression is beyond the bounds."""
    nodes = [
        node for node in ast.walk(ast.parse(text, mode="eval").body) if isinstance(node, ast.BinOp | ast.Call)
    ]
    values = [by_python(ast.get_source_segment(text, node)) for node in nodes]
    return any(value is None or (isinstance(value, int) and value.bit_length() > 2000) for value in values)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sqrt(2)", math.sqrt(2)),
        ("1/sqrt(500)", 1 / math.sqrt(500)),
        ("2**0.5", 2**0.5),
        ("-1/sqrt(3)", -1 / math.sqrt(3)),
        ("np.sqrt(2/np.pi)", math.sqrt(2 / math.pi)),
        (" 2**10 ", 1024),
        ("1e3", 1000.0),
        ("1_000", 1000),
        ("7*6", 42),
        ("1**(9**9)", 1),
        ("(-8)**2", 64),
        ("2**-1", 0.5),
    ],
)
def test_numbers_as_people_write_them(text, value):
    assert number_in(text) == value
    assert type(number_in(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9**9**9", "is beyond the largest number"),
        ("9**9**9**9**9", "is beyond the largest number"),
        ("10.0**400", "is beyond the largest number"),
        ("1e308*10", "is beyond the largest number"),
        ("2**1500/0.5", "is beyond the largest number"),
        ("sqrt(2**1500)", "is beyond the largest number"),
        ("sqrt(1e999)", "is beyond the largest number"),
        ("1e999-1e999", "is beyond the largest number"),
        ("1/0", "divides by 0"),
        ("1/(1-1)", "divides by 0"),
        ("0**-1", "divides by 0"),
        ("sqrt(-1)", "root of a negative number"),
        ("(-8)**(1/3)", "root of a negative number"),
        ("sqrt(2, 3)", "write sqrt(2)"),
        ("sqrt(x=2)", "write sqrt(2)"),
        ("sqrt", "'sqrt' in it, which is not known here; an expression has numbers"),
        ("log(2)", "'log' in it, which is not known here; an expression has numbers"),
        ("np.log(2)", "'np.log' in it"),
        ("2*fan_in", "'fan_in' in it"),
        ("os.system('x')", "'os.system' in it"),
        ("a.pi", "'a.pi' in it"),
        ("2^10", "write ** for a power"),
        ("7//2", "an operation that is not known here"),
        ("1j", "is not a number or an expression"),
        ("'1'", "is not a number or an expression"),
        ("True", "is not a number or an expression"),
        ("[1]", "is not a number or an expression"),
        ("lambda: 1", "is not a number or an expression"),
        ("1 if 1 else 2", "is not a number or an expression"),
        ("1,000", "is not a number or an expression"),
        ("2k", "is not a number or an expression"),
        ("", "is not a number or an expression"),
        ("(" * 400 + "1" + ")" * 400, "is not a number or an expression"),
        ("-" * 200 + "1", "operations in one another"),
        ("1" + "+1" * 200, "operations in one another"),
        ("x" + ".y" * 400, "in it"),
        ("1" * (LONGEST + 1), "is longer than 1,000 characters"),
    ],
)
def test_what_is_no_number_is_told_in_a_line_with_the_mend(text, words):
    with pytest.raises(ExpressionError) as caught:
        number_in(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


@given(st.text() | st.text("0123456789+-*/()., eEsqrtpi_^jx'\"\\[]{}:=\n", max_size=LONGEST + 5))
def test_no_text_ends_in_another_error(text):
    for read in (number_in, real_in, whole_in):
        try:
            found = read(text)
        except ExpressionError as error:
            assert str(error)  # noqa: PT017
        else:
            assert type(found) in ({int} if read is whole_in else {int, float})


@given(st.integers(-(10**12), 10**12))
def test_a_whole_number_is_read_in_every_form_that_is_one(number):
    for form in ("{}", "{:_}", "{}.0", " {} ", "({})", "{} * 2 / 2", "{}e0"):
        assert whole_in(form.format(number)) == number
    written = [("{}k", 1000 * number), ("{} K", 1000 * number), ("{}.0M", 10**6 * number)]
    if abs(number) >= 1000:
        written.append(("{:,}", number))
    for form, meant in written:
        with pytest.raises(ExpressionError, match=f"not a whole number; write {meant}$"):
            whole_in(form.format(number))


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("1 000", "; write 1000"),
        ("1'000'000", "; write 1000000"),
        ("1,000.5", "; write 1000.5"),
        ("0,5", "; write 0.5"),
        ("50%", "; write 0.5"),
        ("2.5M", "; write 2500000"),
        ("", "; write one"),
        ("ten", "; write one such as 1000, or an expression"),
        ("2^10", ": it has ^ in it; write ** for a power"),
        ("1/0", ": it divides by 0"),
    ],
)
def test_what_many_write_otherwise_is_refused_with_the_number(text, mend):
    with pytest.raises(ExpressionError) as caught:
        real_in(text)
    assert str(caught.value).startswith(f"is not a number{mend}")
