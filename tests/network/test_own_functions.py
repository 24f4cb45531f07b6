"""A user's own functions: found, tried, checked, and part of the identity."""

import dataclasses

import numpy as np
import pytest

from winit.network import sources
from winit.network.activations import activation
from winit.network.cells import Cell, Probe
from winit.network.initializers import initializer
from winit.network.labels import LabelError
from winit.network.sources import Source

TEXT = """
from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np

import winit


@dataclasses.dataclass
class Shape:
    n: int


def law(layer, gain: float = 1.0, kind: Literal["normal", "uniform"] = "normal"):
    return winit.Law(kind, gain / math.sqrt(layer.fan_in))

def array(layer, times=2): return np.full(layer.shape, times)
def biased(layer): return winit.WithBias(np.zeros(layer.shape), winit.Law("constant", mean=3.0))
def square(layer): return np.eye(layer.fan_in)
def words(layer): return np.full(layer.shape, "a")
def nothing(layer): return None
def endless(layer): return np.full(layer.shape, np.inf)
def short_bias(layer): return winit.WithBias(winit.Law("normal", 1.0), np.zeros(1))
def raising(layer): return 1 / 0
def many(layer, *more): return winit.Law("normal", 1.0)
def none(): return winit.Law("normal", 1.0)
def unlawful(layer): return winit.Law("normal", math.nan)
def picky(layer):
    if layer.activation.label != "tanh":
        raise ValueError("only tanh")
    return winit.Law("normal", 1.0)

def phi(z, a: float = 1.0): return a * z, np.full_like(z, a)
def lonely(z): return z * 2
def wide(z): return np.sqrt(2.0) * z, np.ones_like(z)
def infinite(z): return 1 / (z - z.dtype.type(0.7)), z * 0
value = 3

def leaving(layer): raise SystemExit(0)
def masked(layer): return np.ma.array(np.ones(layer.shape))
def large(layer): return np.full(layer.shape, 1e300)
def large_law(layer): return winit.Law("normal", 1e300)
def numpy_gain(layer, gain=np.sqrt(2)): return winit.Law("normal", gain / math.sqrt(layer.fan_in))
def literal(layer, m: Literal[1, 2] = 1): return winit.Law("normal", m)
def listed(layer, w=[1.0]): return winit.Law("normal", w[0])
def hinted(layer: Layer, gain: "float" = 1.0): return winit.Law("normal", gain)
def word(layer, mode="True"): return winit.Law("normal", 1.0)
def talking(layer):
    print("hello")
    return winit.Law("normal", 1.0)
def rows(z): return z - z.mean(axis=1, keepdims=True), np.ones_like(z)
def columns(z): return z - z.mean(axis=0), np.ones_like(z)
def transposed(z): return (2 * z.T).copy().T, np.ones_like(z)
def by_size(z): return 2 * z if z.shape[1] != 4 else 2.0 * z.astype(np.float32), np.ones_like(z)
"""
OWN = (Source("own.py", TEXT),)


@pytest.mark.parametrize(
    ("label", "canonical"),
    [
        ("own.py:law", "own.py:law"),
        ("own.py:law(2)", "own.py:law(gain=2.0)"),
        ("own.py:law(kind=uniform, gain=1)", "own.py:law(kind=uniform)"),
        ("own.py:array(times=3)", "own.py:array(times=3)"),
        ("own.py:array(2)", "own.py:array"),
        ("own.py:numpy_gain(gain=2)", "own.py:numpy_gain(gain=2.0)"),
        ("own.py:listed", "own.py:listed"),
        ("own.py:hinted(gain=3)", "own.py:hinted(gain=3.0)"),
        ("own.py:word(mode='False')", "own.py:word(mode='False')"),
    ],
)
def test_two_spellings_of_one_function_are_one_label(label, canonical):
    assert initializer(label, OWN).label == canonical


def test_a_law_of_the_users_is_iid_and_an_array_is_not():
    assert [initializer(f"own.py:{name}", OWN).is_iid for name in ("law", "array", "biased")] == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("square", r"own\.py:square returned weights of shape \(16, 16\), not \(16, 12\)"),
        ("words", "own.py:words returned a <U1 for the weights"),
        ("nothing", "own.py:nothing returned a NoneType for the weights"),
        ("endless", r"own\.py:endless returned weights that are not finite in float32 \(192 of 192\)"),
        ("short_bias", r"own\.py:short_bias returned bias of shape \(1,\), not \(12,\)"),
        ("raising", "own.py:raising raised ZeroDivisionError: division by zero"),
        ("leaving", "own.py:leaving raised SystemExit: 0"),
        ("masked", "own.py:masked returned a MaskedArray for the weights"),
        ("large", r"own\.py:large returned weights that are not finite in float32"),
        ("large_law", r"own\.py:large_law gave weights of .* too large for float32"),
        ("unlawful", "own.py:unlawful.* must be finite"),
        ("picky", "own.py:picky raised ValueError: only tanh"),
    ],
)
def test_what_an_initializer_returns_is_checked(name, words):
    with pytest.raises(LabelError, match=words):
        initializer(f"own.py:{name}", OWN).try_with(activation("relu"))


def test_one_that_is_particular_about_the_activation_is_tried_with_it():
    initializer("own.py:picky", OWN).try_with(activation("tanh"))
    assert not initializer("own.py:picky", OWN).is_iid


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("own.py:many", "must name its arguments"),
        ("own.py:none", "first parameter"),
        ("own.py:lawn", "has no function 'lawn'; did you mean 'law'"),
        ("own.py:value", "has no function 'value'"),
        ("own.py:law(kind=other)", "allowed: normal, uniform"),
        ("own.py:array(times=2.5)", "times is 2.5"),
        ("own.py:literal(m=4)", "allowed: 1, 2"),
        ("own.py:law(gain=1, gain=2)", "gives 'gain' twice"),
        ("other.py:law", "other.py is not at hand"),
    ],
)
def test_a_label_that_does_not_fit_is_refused(label, words):
    with pytest.raises(LabelError, match=words):
        initializer(label, OWN)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lonely", r"must return the pair \(φ\(z\), φ'\(z\)\), not an array"),
        ("wide", r"own\.py:wide: φ\(z\) is an array of shape \(3, 3\) and dtype float64.* float32"),
        ("infinite", r"own\.py:infinite: φ\(z\) is not finite at z = 0\.7"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_an_activation_returns_is_checked(name, words):
    with pytest.raises(LabelError, match=words):
        activation(f"own.py:{name}", OWN)


def test_an_activation_is_always_given_a_batch():
    phi = activation("own.py:rows", OWN)
    assert phi(np.arange(3.0))[0].tolist() == [-1, 0, 1]
    assert phi.largest_derivative == 1


def test_what_a_function_prints_does_not_mix_with_results(capsys):
    initializer("own.py:talking", OWN).try_with(activation("relu"))
    assert capsys.readouterr().out == ""


def test_a_path_may_have_spaces():
    source = (Source("my files/own.py", TEXT),)
    assert initializer("my files/own.py:law(gain=2)", source).label == "my files/own.py:law(gain=2.0)"


def test_an_activation_takes_part_as_a_built_in_does():
    phi = activation("own.py:phi(a=3)", OWN)
    assert (phi.label, phi.largest_derivative, phi.kinks, phi.period) == ("own.py:phi(a=3.0)", 3.0, (), None)


@pytest.mark.parametrize("text", ["1 / 0", "def f(:", "import no_such_module"])
def test_a_file_that_cannot_be_run_says_why(text):
    with pytest.raises(LabelError, match=r"bad\.py cannot be run: (ZeroDivision|Syntax|ModuleNotFound)Error"):
        initializer("bad.py:f", (Source("bad.py", text),))


def test_the_text_is_part_of_the_identity_and_the_others_texts_are_not():
    own = Cell("own.py:law", "relu", 2, "8", 0, Probe(), OWN)
    edited = dataclasses.replace(own, sources=(Source("own.py", TEXT + "\n"),))
    with_more = dataclasses.replace(own, sources=(*OWN, Source("more.py", "")))
    plain = dataclasses.replace(own, initializer="he_normal")
    assert own.id == with_more.id
    assert len({own.id, edited.id, plain.id}) == 3
    assert plain.id == dataclasses.replace(plain, sources=()).id


def test_a_cell_takes_along_only_what_it_stands_on():
    more = (*OWN, Source("more.py", ""))
    assert sources.of_labels(["own.py:law(gain=2.0)", "relu"], more) == OWN
    assert sources.of_labels(["he_normal", "relu"], more) == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["rows", "columns", "transposed"])
def test_an_activation_is_given_the_networks_of_a_stack_one_by_one(name, dtype):
    phi = activation(f"own.py:{name}", OWN)
    stack = np.random.default_rng(0).normal(size=(3, 7, 5)).astype(dtype)
    for together, *alone in zip(phi(stack), *map(phi, stack), strict=True):
        assert together.dtype == dtype
        assert together.flags.c_contiguous
        assert (together == np.array(alone)).all()


def test_what_an_activation_returns_of_a_stack_is_checked():
    phi = activation("own.py:by_size", OWN)
    phi(np.zeros((2, 7, 5)))
    with pytest.raises(LabelError, match=r"φ\(z\) is an array of shape \(7, 4\) and dtype float32"):
        phi(np.zeros((2, 7, 4)))
