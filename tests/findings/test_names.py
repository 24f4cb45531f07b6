"""Names of files and ids: distinct for distinct labels, on every file system, and those that people know."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winit.findings.claims import TOPICS
from winit.findings.names import file_name
from winit.network.activations import ACTIVATIONS, activation
from winit.network.inputs import INPUTS
from winit.network.labels import arguments_of

SAFE = re.compile(r"[a-z0-9._=-]{1,140}")
PIECES = ["relu", "leaky_relu", "Relu", "a/x.py:act", "a_x.py:act", "x.py:act", "(k=1)", "k=v", "1e-05"]
PIECES += ["(negative_slope=0.2)", "-0.1", "_", "__", "-", ".", "=", ", ", "/"]
PIECES += ["\x00", "é", "e\u0301", "\u212a", "\ud800"]
LABELS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
    st.text("relu_=.-():, a1", max_size=12),
)
PARTS = st.lists(LABELS, min_size=1, max_size=3).map(tuple)


@given(PARTS, PARTS)
def test_distinct_labels_have_distinct_safe_names(one, other):
    names = [file_name(*one), file_name(*other)]
    for name in names:
        assert SAFE.fullmatch(name)
        assert name[0] not in ".-"
        assert name[-1] != "."
    assert (names[0].casefold() == names[1].casefold()) is (one == other)
    assert file_name(*one) == names[0]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (["tanh"], "tanh"),
        (["leaky_relu(negative_slope=0.2)"], "leaky_relu_negative_slope=0.2_"),
        (["prelu(negative_slope=-0.1)"], "prelu_negative_slope=-0.1_"),
        (["relu", "input=normal(mean=2.0)", "bias_std=1e-05"], "relu-input=normal_mean=2.0_-bias_std=1e-05"),
        (["curves", "digits", "tanh", "learning_rate=0.1"], "curves-digits-tanh-learning_rate=0.1"),
        (["relu", "depth=10", "width=500-50"], "relu-depth=10-width=500-50"),
        (["relu", "width=4", "normal(std=0.01)", "zeros"], "relu-width=4-normal_std=0.01_-zeros"),
        (["mine.py:ring"], "mine.py_ring"),
    ],
)
def test_names_that_are_known_stay(parts, name):
    assert file_name(*parts) == name


def test_every_name_of_the_catalogue_can_be_read():
    """With each of their arguments given, too, and of the claims' topics."""
    labels = [activation(entry.label).label for entry in ACTIVATIONS.values()]
    for entry in [*ACTIVATIONS.values(), *INPUTS.values()]:
        arguments = arguments_of(entry.function).parameters
        labels += [entry.name, *(f"{entry.name}({argument}=0.5)" for argument in arguments)]
    for label in labels:
        assert file_name(label) == re.sub(r"[(), ]", "_", label)
    for topic in TOPICS:
        words = topic.lower().replace(",", "").split()
        assert file_name("claims", *words) == "-".join(["claims", *words])


def test_a_long_label_keeps_its_beginning():
    name = file_name("relu" * 100)
    assert name.startswith("relurelu")
    assert name != file_name("relu" * 101)
