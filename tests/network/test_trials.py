"""The trial of a user's own functions: what it refuses, and that it refuses nothing that is right."""
# ruff: noqa: E501 - functions on one line each

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winit.network.activations import ACTIVATIONS, activation
from winit.network.initializers import INITIALIZERS, initializer
from winit.network.labels import LabelError
from winit.network.sources import Source, Sources

HEAD = """
import functools
import itertools
import math
import os
import random
import secrets
import uuid

import numpy as np

import winit
from winit.network.activations import activation
from winit.network.initializers import initializer

"""


def own(text: str, head: str = HEAD) -> Sources:
    return (Source("mine.py", head + text),)


def try_initializer(text: str, label: str = "mine.py:init", head: str = HEAD) -> None:
    initializer(label, own(text, head)).try_with(activation("tanh"))


def try_activation(text: str, label: str = "mine.py:phi") -> None:
    activation(label, own(text)).try_out()


# Each as what stands before the function, and what the function multiplies a draw of the layer's with.
EACH_TIME = {
    "NumPy's global state": ("", "np.random.normal(size=layer.shape)"),
    "NumPy's global state, seeded once": ("np.random.seed(0)", "np.random.normal(size=layer.shape)"),
    "Python's global state": ("", "random.random()"),
    "a generator without a seed": ("", "np.random.default_rng().random()"),
    "a generator that goes on": ("rng = np.random.default_rng(0)", "rng.random()"),
    "a counter": ("count = itertools.count(1)", "next(count)"),
    "the system's random bytes": ("", "os.urandom(1)[0] + os.urandom(1)[0] / 256 + os.urandom(1)[0] / 65536"),
    "secrets": ("", "secrets.randbits(32)"),
    "a unique id": ("", "uuid.uuid4().int % 1000003"),
    "a list that grows": ("seen = [1]", "(seen.append(1), len(seen))[1]"),
}
IN_EACH_PROCESS = {
    "a draw that is kept": ("scale = np.random.normal()", "scale"),
    "a draw of Python's that is kept": ("scale = random.random()", "scale"),
    "a generator's draw that is kept": ("scale = np.random.default_rng().random()", "scale"),
    "a draw that is cached": (
        "@functools.cache\ndef draw(shape): return np.random.random(shape)",
        "draw(layer.shape)",
    ),
    "the hash of a text": ("", "(hash('weights') % 1000)"),
    "the hash of texts": ("", "np.random.default_rng(abs(hash(('weights', layer.index)))).random()"),
    "where an object lies": ("mark = object()", "(id(mark) % 9973)"),
    "the hash of an object": ("mark = object()", "(hash(mark) % 9973)"),
    "a clock that is kept": ("import time\nstart = time.time_ns()", "(start % 9973)"),
    "a clock of whole seconds": ("import time", "(int(time.time()) % 9973)"),
    "a clock of whole seconds, for a seed": (
        "import datetime",
        "np.random.default_rng(int(datetime.datetime.now().timestamp())).random()",
    ),
}
SAME = {
    "a constant": ("", "2.0"),
    "a generator with a seed": ("", "np.random.default_rng(0).normal(size=layer.shape)"),
    "the global state, seeded each time": ("", "(np.random.seed(3), np.random.random(layer.shape))[1]"),
    "Python's global state, seeded each time": ("", "(random.seed(3), random.random())[1]"),
    "the layer's generator": ("", "layer.generator.normal(size=layer.shape)"),
    "a draw with a seed that is cached": (
        "@functools.cache\ndef draw(shape): return np.random.default_rng(0).random(shape)",
        "draw(layer.shape)",
    ),
    "a draw with a seed that is kept": ("scale = np.random.default_rng(0).random()", "scale"),
    "hashes that are the same everywhere": ("", "(hash((3, 2.5)) % 1000)"),
    "a table by hash and id": ("mark = object()\ntable = {id(mark): 2.0, hash('a'): 1.0}", "table[id(mark)]"),
    "a stopwatch": ("import time", "(time.perf_counter(), 3.0)[1]"),
    "a file that cannot be run twice": (
        "if hasattr(winit, 'was_here'): raise RuntimeError('twice')\nwinit.was_here = True",
        "2.0",
    ),
}


def init(parts: tuple[str, str]) -> str:
    return f"{parts[0]}\ndef init(layer): return layer.standard('normal') * ({parts[1]})\n"


@pytest.mark.parametrize("name", EACH_TIME)
def test_weights_that_are_others_each_time_are_refused_with_the_mend(name):
    with pytest.raises(
        LabelError, match=r"mine\.py:init gives other .* each time .*layer\.generator, or .*fixed seed"
    ):
        try_initializer(init(EACH_TIME[name]))


@pytest.mark.parametrize("name", IN_EACH_PROCESS)
def test_weights_that_are_others_in_each_process_are_refused_with_the_mend(name):
    with pytest.raises(
        LabelError, match=r"mine\.py:init gives other numbers .*layer\.generator, or .*fixed seed"
    ):
        try_initializer(init(IN_EACH_PROCESS[name]))


@pytest.mark.parametrize("name", SAME)
def test_weights_that_are_the_same_are_taken(name, monkeypatch):
    import winit

    monkeypatch.delattr(winit, "was_here", raising=False)
    try_initializer(init(SAME[name]))


def test_a_law_and_a_bias_are_compared_too():
    with pytest.raises(LabelError, match="each time"):
        try_initializer("def init(layer): return winit.Law('normal', random.random())")
    with pytest.raises(LabelError, match="each time"):
        try_initializer(
            "def init(layer): return winit.WithBias(winit.Law('normal', 1.0), np.random.random(layer.fan_out))"
        )


@pytest.mark.parametrize("name", INITIALIZERS)
def test_no_initializer_of_the_catalogue_would_be_refused(name):
    label = INITIALIZERS[name].label
    text = f"def init(layer): return initializer({label!r}).entry.function(layer, **dict(initializer({label!r}).arguments))"
    try_initializer(text)


ROUNDED = (
    "h, slope = activation({label!r})(z.astype(np.float32)); return h.astype(z.dtype), slope.astype(z.dtype)"
)
NOISY = """
    h, slope = activation({label!r})(z)
    noise = np.sin(1e5 * z.astype(np.float64) ** 2 + 3e4 * z) * 1e-6
    return (h * (1 + noise)).astype(z.dtype), (slope * (1 - noise)).astype(z.dtype)"""
IMPLEMENTATIONS = {
    "as it is": "return activation({label!r})(z)",
    "in float32": ROUNDED,
    "with noise": NOISY,
    "of a scale": "h, slope = activation({label!r})(z * 3); return h * 1e-5, slope * 3e-5",
    "of another scale": "h, slope = activation({label!r})(z * 0.1); return h * 1e5, slope * 1e4",
    "shifted": "h, slope = activation({label!r})(z - 0.7); return h, slope",
    "with an offset": "h, slope = activation({label!r})(z); return h + 100, slope",
}


@pytest.mark.parametrize("how", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_activation_of_the_catalogue_would_be_refused(name, how):
    try_activation(f"def phi(z):\n    {IMPLEMENTATIONS[how].format(label=ACTIVATIONS[name].label)}")


RIGHT = {
    "fast": "return np.sin(30 * z), 30 * np.cos(30 * z)",
    "faster": "return np.sin(1000 * z), 1000 * np.cos(1000 * z)",
    "as fast as steps are long": "return np.sin(2 * np.pi * 1024 * z), 2 * np.pi * 1024 * np.cos(2 * np.pi * 1024 * z)",
    "steep": "return np.tanh(1000 * z), 1000 * (1 - np.tanh(1000 * z) ** 2)",
    "of steps": "return np.floor(z), np.zeros_like(z)",
    "of fine steps": "return np.round(z * 128) / 128, np.zeros_like(z)",
    "a slope with steps": "return z + np.floor(1000 * z) / 1000, np.ones_like(z)",
    "a saw": "return z - np.floor(z), np.ones_like(z)",
    "a fine saw": "return np.abs(100 * z % 2 - 1), np.where(100 * z % 2 > 1, 100.0, -100.0).astype(z.dtype)",
    "a root": "return np.sign(z) * np.sqrt(np.abs(z)), 0.5 / np.sqrt(np.abs(z) + (z == 0))",
    "of a table": "x = np.linspace(-12, 12, 2401); return np.interp(z, x, np.tanh(x)).astype(z.dtype), 1 - np.tanh(z) ** 2",
    "heaviside": "return np.heaviside(z, 0.5).astype(z.dtype), np.zeros_like(z)",
    "with a slope at 0 by convention": "return np.maximum(z, 0) - np.maximum(-z, 0), (z > 0).astype(z.dtype) + (z < 0)",
    "without an end": "return np.exp(2 * z), 2 * np.exp(2 * z)",
    "without a number here and there": "with np.errstate(invalid='ignore'): return (z + 0 * np.sqrt(10.0 - np.abs(z)), np.ones_like(z))",
    "of numbers one by one": "return np.vectorize(math.tanh, otypes=[z.dtype])(z), 1 - np.tanh(z) ** 2",
}


@pytest.mark.parametrize("name", RIGHT)
def test_an_activation_that_is_right_is_taken(name):
    try_activation(f"def phi(z):\n    {RIGHT[name]}")


@given(
    st.lists(
        st.sampled_from([0.0, 0.7, -0.3, 1.0, 2.5]) | st.floats(-9, 9).map(lambda z: round(z, 5)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.integers(-300, 300).map(lambda n: n / 100), min_size=7, max_size=7),
)
def test_kinks_may_be_anywhere(kinks, slopes):
    text = f"""
K, S = np.array({sorted(kinks)!r}), np.array({slopes[: len(kinks) + 1]!r})
def phi(z):
    h = S[0] * z
    for kink, below, above in zip(K, S, S[1:]):
        h = h + (above - below) * np.maximum(z - z.dtype.type(kink), 0)
    return h.astype(z.dtype), S[np.searchsorted(K, z)].astype(z.dtype)
"""
    try_activation(text)


WRONG = {
    "a constant": (
        "np.tanh(z), np.ones_like(z)",
        r"φ'\(0\.7\) is given as 1, but differences of φ say 0\.6347",
    ),
    "a factor": ("2 * np.tanh(z), 1 - np.tanh(z) ** 2", r"φ'\(0\) is given as 1, but differences of φ say 2"),
    "a factor near 1": ("np.tanh(z), 1.02 * (1 - np.tanh(z) ** 2)", r"φ'\(0\) is given as 1\.02"),
    "a sign": ("np.sin(z), -np.cos(z)", "given as -1"),
    "a lost term": ("z / (1 + np.exp(-z)), 1 / (1 + np.exp(-z))", r"φ'\(0\.7\)"),
    "nothing": ("z * 1.0, np.zeros_like(z)", r"φ'\(0\) is given as 0, but differences of φ say 1"),
    "on one side": ("np.maximum(z, 0), (z < 0).astype(z.dtype)", r"φ'\(0\.7\) is given as 0"),
    "a slope where there is none": (
        "np.maximum(z, 0), np.where(z > 0, 1.0, 0.2).astype(z.dtype)",
        r"φ'\(-0\.3\)",
    ),
    "a fast one": ("np.sin(30 * z), np.cos(30 * z)", r"φ'\(0\) is given as 1, but differences of φ say 30"),
    "in float32": (
        "np.tanh(z.astype(np.float32)).astype(z.dtype), np.ones_like(z)",
        r"φ'\(0\.7\) is given as 1, but differences of φ say 0\.63",
    ),
    "a step with a slope": ("np.sign(z), np.ones_like(z)", r"φ'\(0\.7\) is given as 1, but .* say 0"),
    "small numbers": ("1e-6 * np.tanh(z), 1e-6 * np.ones_like(z)", r"φ'\(0\.7\)"),
    "far out": ("np.where(z > 6, 2 * z - 6, z), np.ones_like(z)", r"φ'\(10\)|φ'\(6"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_derivative_is_refused_with_its_place(name):
    pair, words = WRONG[name]
    with pytest.raises(LabelError, match=words) as refused:
        try_activation(f"def phi(z): return {pair}")
    assert "`phi.surrogate = True`" in str(refused.value)


def wrong_by(label):
    return f"def phi(z):\n    h, slope = activation({label!r})(z)\n    return h, slope * 1.1 + 0.1"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_of_every_activation_of_the_catalogue_a_wrong_derivative_is_seen(name):
    with pytest.raises(LabelError, match="differences of φ say"):
        try_activation(wrong_by(ACTIVATIONS[name].label))


def test_what_is_meant_to_be_no_derivative_says_so():
    text = "def phi(z, a: float = 1.0): return np.sign(z), (np.abs(z) < a).astype(z.dtype)\n"
    with pytest.raises(LabelError, match=r"`phi\.surrogate = True` below"):
        try_activation(text, "mine.py:phi(a=2.0)")
    try_activation(f"{text}phi.surrogate = True\n", "mine.py:phi(a=2.0)")


MIXING = {
    "softmax": "e = np.exp(z - z.max(axis=1, keepdims=True)); return e / e.sum(axis=1, keepdims=True), z * 0",
    "layer normalization": "return (z - z.mean(1, keepdims=True)) / (z.std(1, keepdims=True) + 1e-5), np.ones_like(z)",
    "batch statistics": "return (z - z.mean(0)) / (z.std(0) + 1e-5), np.ones_like(z)",
    "RMS": "return z / np.sqrt((z * z).mean(1, keepdims=True) + 1e-5), np.ones_like(z)",
    "the whole batch": "return z / np.abs(z).max(), np.ones_like(z)",
    "sums": "return np.cumsum(z, axis=1), np.ones_like(z)",
    "order": "return np.sort(z, axis=1), np.ones_like(z)",
    "neighbours": "return np.roll(z, 1, axis=1), np.ones_like(z)",
    "the best": "return z * (z == z.max(axis=1, keepdims=True)), np.ones_like(z)",
    "a mask that stays": "mask = np.random.default_rng(0).random(z.shape) < 0.5; return z * mask, mask.astype(z.dtype)",
    "the place": "return z + np.arange(z.shape[1], dtype=z.dtype), np.ones_like(z)",
    "the number of units": "return z * z.shape[1], np.full_like(z, z.shape[1])",
    "the size of the batch": "return z * z.shape[0], np.full_like(z, z.shape[0])",
    "how many there are": "return z / z.size, np.full_like(z, 1 / z.size)",
    "others in the derivative alone": "return np.tanh(z), (1 - np.tanh(z) ** 2) * (1 + 0.1 * z.mean())",
    "a first unit": "h = z.copy(); h[:, 0] = 0; return h, np.ones_like(z)",
}


@pytest.mark.parametrize("name", MIXING)
def test_what_is_not_elementwise_is_refused(name):
    with pytest.raises(LabelError, match=r"mine\.py:phi is not elementwise: .*winit has no such layers yet"):
        try_activation(f"def phi(z):\n    {MIXING[name]}")


def test_one_that_takes_only_some_shapes_is_refused_with_the_shape():
    with pytest.raises(LabelError, match=r"mine\.py:phi raised ValueError: odd, for z of shape \(1, 35\)"):
        try_activation(
            "def phi(z):\n    if len(z) == 1: raise ValueError('odd')\n    return z * 1, z * 0 + 1"
        )


AT_RANDOM = {
    "dropout": "mask = np.random.random(z.shape) < 0.5; return z * mask, mask.astype(z.dtype)",
    "noise": "return z + np.random.default_rng().normal(size=z.shape).astype(z.dtype), np.ones_like(z)",
    "a random slope": "a = random.random(); return a * z, np.full_like(z, a)",
}


@pytest.mark.parametrize("name", AT_RANDOM)
def test_an_activation_that_is_random_is_refused(name):
    with pytest.raises(
        LabelError, match=r"mine\.py:phi gives other numbers each time .* take no random numbers"
    ):
        try_activation(f"def phi(z):\n    {AT_RANDOM[name]}")


def test_an_activation_that_counts_its_calls_or_keeps_a_draw_is_refused():
    with pytest.raises(LabelError, match="gives other numbers each time"):
        try_activation(
            "n = itertools.count(1)\ndef phi(z):\n    a = next(n)\n    return a * z, np.full_like(z, a)"
        )
    with pytest.raises(LabelError, match="gives other numbers in each process"):
        try_activation("A = random.random()\ndef phi(z): return A * z, np.full_like(z, A)")


def test_refusals_are_one_line_that_names_the_place_as_it_is():
    with pytest.raises(LabelError) as refused:
        try_activation("def phi(z): return np.tanh(z), 0.5 - 0.5 * np.tanh(z)")
    assert re.search(r"φ'\(0\) is given as 0\.5, but differences of φ say 1;", str(refused.value))
    assert "\n" not in str(refused.value)
