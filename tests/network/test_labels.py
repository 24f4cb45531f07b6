"""Labels: one thing, one canonical name; and errors that say the mend."""

from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winit.network import labels
from winit.network.activations import ACTIVATIONS, activation
from winit.network.initializers import INITIALIZERS, initializer


def example(subject, scale: float, mode: Literal["in", "out"] = "in", times: int = 2):
    return subject, scale, mode, times


@dataclass(frozen=True)
class Example:
    name: str = "example"
    aliases: tuple = ()
    function: object = staticmethod(example)


def resolve(label):
    return labels.resolve("example", label, {"example": Example()})


@pytest.mark.parametrize(
    "spelling",
    [
        "example(scale=0.5)",
        "example(0.5)",
        " example( mode='in', scale=5e-1 )",
        "example(.5, in, 2)".replace("in", "'in'"),
        "example(1/2)",
        "example(scale='0.5', times=2.0)",
        "example(2**-1, times=sqrt(4))",
        "example(np.sqrt(0.25), times=1*2)",
    ],
)
def test_all_spellings_have_one_label(spelling):
    assert resolve(spelling)[0] == "example(scale=0.5)"


def test_arguments_stand_in_signature_order_without_defaults():
    assert resolve("example(times=3, mode=out, scale=1)")[0] == "example(scale=1.0, mode=out, times=3)"


@pytest.mark.parametrize(
    ("find", "written", "label"),
    [
        (initializer, "orthogonal(gain=sqrt(2))", "orthogonal(gain=1.4142135623730951)"),
        (initializer, "normal(std=1/sqrt(500))", "normal(std=0.044721359549995794)"),
        (initializer, "mean_field(sigma_w=2**0.5)", "mean_field(sigma_w=1.4142135623730951)"),
        (initializer, "martens_sparse(links=1e1)", "martens_sparse(links=10)"),
        (initializer, "martens_sparse(links=2**4)", "martens_sparse(links=16)"),
        (initializer, "torch.kaiming_normal(a=math.sqrt(5), mode=fan_out)",
         "torch.kaiming_normal(a=2.23606797749979, mode=fan_out)"),
        (activation, "sin(omega=2*pi)", "sin(omega=6.283185307179586)"),
        (activation, "sin(pi)", "sin(omega=3.141592653589793)"),
        (activation, "leaky_relu(1/3)", "leaky_relu(negative_slope=0.3333333333333333)"),
    ],
)  # fmt: skip
def test_a_canonical_label_has_the_number_that_an_expression_is(find, written, label):
    assert find(written).label == label
    assert find(label).label == label


def test_the_ends_of_an_interval_may_be_expressions():
    found = initializer("uniform(-1/sqrt(3), 1/sqrt(3))")
    assert found.label == f"uniform(low={-1 / 3**0.5!r}, high={1 / 3**0.5!r})"


def switch(subject, scaled: bool = True, mode: str | None = None, limit: float | None = None):
    return subject, scaled, mode, limit


@pytest.mark.parametrize("word", ["false", "False", "FALSE", "no", "off", "'false'"])
def test_true_and_false_may_be_words(word):
    known = {"switch": Example("switch", (), staticmethod(switch))}
    assert labels.resolve("example", f"switch(scaled={word})", known)[0] == "switch(scaled=False)"
    with pytest.raises(labels.LabelError, match="not true or false"):
        labels.resolve("example", "switch(scaled=maybe)", known)


@pytest.mark.parametrize("word", ["None", "none", "null"])
@pytest.mark.parametrize("argument", ["mode", "limit"])
def test_none_may_be_a_word_where_it_is_the_default(word, argument):
    known = {"switch": Example("switch", (), staticmethod(switch))}
    assert labels.resolve("example", f"switch({argument}={word})", known)[0] == "switch"


def test_words_that_could_be_numbers_stay_words_where_words_are_wanted():
    known = {"switch": Example("switch", (), staticmethod(switch))}
    for word in ("pi", "off", "'1e3'", "'sqrt(2)'"):
        assert labels.resolve("example", f"switch(mode={word})", known)[0] == f"switch(mode={word})"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_label_keeps_every_digit(scale):
    label, _, arguments = resolve(f"example(scale={scale})")
    assert dict(arguments)["scale"] == scale
    assert resolve(label)[0] == label


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("exmple(scale=1)", ["unknown example 'exmple'", "did you mean 'example'?"]),
        ("example(scal=1)", ["no argument 'scal'", "did you mean 'scale'?", "scale, mode, times"]),
        ("example", ["missing a required argument: 'scale'"]),
        ("example(1, 2, 3, 4)", ["too many positional arguments"]),
        ("example(scale=1, mode=inn)", ["mode is 'inn'", "did you mean 'in'?", "allowed: in, out"]),
        ("example(scale=big)", ["scale is 'big'", "not a number"]),
        ("example(scale=True)", ["scale is True", "not a number"]),
        ("example(scale=1e999)", ["scale is inf", "finite"]),
        ("example(scale=1, times=2.5)", ["times is 2.5", "not a whole number"]),
        ("example(scale=1", ["not of the form"]),
        ("example(scale=1)(2)", ["not of the form"]),
        ("example(scale=print(1))", ["'print(1)' in", "'print'", "sqrt(…) and pi"]),
        ("example(scale=log(2))", ["'log(2)' in", "'log'", "sqrt(…) and pi"]),
        ("example(scale=2*fan_in)", ["'fan_in' in it", "sqrt(…) and pi"]),
        ("example(scale=fan_in)", ["scale is 'fan_in'", "not a number"]),
        ("example(scale=9**9**9)", ["beyond the largest number"]),
        ("example(scale=1/0)", ["divides by 0"]),
        ("example(scale=sqrt(-1))", ["root of a negative number"]),
        ("example(scale=[1])", ["not a number or an expression"]),
        ("example(scale=None)", ["scale is None", "not a number"]),
        ("example(scale=1, mode=None)", ["mode is None", "allowed: in, out"]),
        ("example(scale=1, times=5/2)", ["times is 2.5", "not a whole number"]),
        ("example(**x)", ["not of the form"]),
        ("", ["not of the form"]),
    ],
)
def test_an_error_says_what_came_and_what_is_allowed(label, words):
    with pytest.raises(labels.LabelError) as caught:
        resolve(label)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("find", "catalogue"), [(initializer, INITIALIZERS), (activation, ACTIVATIONS)])
def test_every_entry_of_the_catalogue_is_found_by_its_canonical_label(find, catalogue):
    for entry in catalogue.values():
        found = find(entry.label)
        assert found.entry is entry
        assert find(found.label) == found


ODD = (
    "normal(std=" + "(" * 3000 + ")",
    "normal(std=" + "-" * 4000 + "1)",
    "normal(std=" + "[" * 2000 + "]" * 2000 + ")",
    "normal(std=1e999)",
    "normal(std=-1e999)",
    "normal(std=" + "9" * 4000 + ")",
    "normal(std=" + "9" * 400 + ")",
    "normal(std=0x" + "f" * 4000 + ")",
    "normal(std=1j)",
    "normal(std=1 + x)",
    "normal(std=None)",
    "normal(std='\\d')",
    "normal(std=f'{1}')",
    "normal(std=b'1')",
    "normal(std=lambda: 1)",
    "normal(std=\0)",
    "normal\0",
    "normal(*[1])",
    "normal(**{})",
    "normal(std=1)(std=1)",
    "normal(" + "x" * 10**6 + ")",
    "x" * 10**6,
    "x.py:f" * 600,
    "normal(std=1, " + "x" * 2000 + "=1)",
    "orthogonal(gain=True)",
    "a\x1b[2Jb",
)


def said_of(call, label):
    """What a LabelError says, in few words; nothing where there is none."""
    try:
        call(label)
    except labels.LabelError as error:
        said = str(error)
    else:
        said = ""
    assert len(said) <= labels.LONGEST_ERROR
    return said


@pytest.mark.parametrize("make", [initializer, activation])
@pytest.mark.parametrize("label", ODD, ids=range(len(ODD)))
def test_an_odd_label_is_refused_in_few_words(make, label):
    assert said_of(make, label)


@given(st.text() | st.text("()[]{}-+=,.'\"\\\\ abe1_*:#\n"))
def test_no_text_is_a_label_that_ends_in_another_error(text):
    for label in (text, f"normal({text})", f"normal(std={text})"):
        said_of(labels.parse, label)
        said_of(initializer, label)


def arguments_of(entry):
    return labels.arguments_of(entry.function).parameters


HUGE = ("1e300", "1e-300", "-1e300", str(2**62), str(-(2**62)), str(2**64), "0", "-1", "True", "'a'", "nan")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make, name)
        for make, names in ((initializer, INITIALIZERS), (activation, ACTIVATIONS))
        for name in names
    ],
)
def test_no_value_of_an_argument_ends_in_another_error(make, name):
    known = {initializer: INITIALIZERS, activation: ACTIVATIONS}[make][name]
    for argument in labels.arguments_of(known.function).parameters:
        for value in HUGE:
            said_of(make, f"{name}({argument}={value})")


@pytest.mark.parametrize(
    ("label", "mend"),
    [
        ("leaky relu", "a name has no spaces: leaky_relu"),
        ("Glorot Normal", "glorot_normal"),
        ("normal(std=0,02)", "a decimal has a point"),
        ("normal(std=0.02", "wants quotation marks"),
        ("mean=0)", "wants quotation marks"),
        ("relu, tanh", "several are a list"),
        ("normal(std=0.02), he_normal", "several are a list"),
    ],
)
def test_what_is_no_label_is_told_how_to_write_it(label, mend):
    with pytest.raises(labels.LabelError, match="is not of the form") as caught:
        labels.parse(label)
    assert mend in str(caught.value)
