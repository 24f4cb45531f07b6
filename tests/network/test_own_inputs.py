"""Examples of one's own: arrays, and what a user's function gives."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernel import assert_agrees, measured

from winit.network.activations import activation
from winit.network.cells import Cell, Probe
from winit.network.draws import Draws
from winit.network.initializers import initializer
from winit.network.inputs import INPUTS, input_of, is_paired, width_of
from winit.network.inputs.moments import moments_of
from winit.network.labels import LabelError
from winit.network.sources import Source
from winit.network.theory import predict


@dataclass(frozen=True, eq=False)
class Held:
    """Arrays in memory, as if they were in a file."""

    arrays: dict
    name: str = "mine.npz"
    digest: str = "0123456789abcdef"

    def array(self, name):
        return self.arrays[name or "x"]


FUNCTIONS = Source(
    "mine.py",
    """
import numpy as np
CALLS = []
def tall(wanted, std: float = 1.0):
    return wanted.generator.normal(0.5, std, (wanted.batch, wanted.width))
def images(wanted):
    return wanted.generator.integers(0, 256, (wanted.batch, 3, 4), dtype=np.uint8)
def wider(wanted):
    return np.ones((wanted.batch, wanted.width + 1))
def fewer(wanted):
    return np.ones((wanted.batch - 1, wanted.width))
def flat(wanted):
    return np.ones(wanted.batch)
def listed(wanted):
    return [[1.0] * wanted.width] * wanted.batch
def texts(wanted):
    return np.full((wanted.batch, wanted.width), "x")
def infinite(wanted):
    return np.full((wanted.batch, wanted.width), np.inf)
def random(wanted):
    return np.random.random((wanted.batch, wanted.width))
def counting(wanted):
    CALLS.append(1)
    return np.full((wanted.batch, wanted.width), float(len(CALLS)))
def unseeded(wanted):
    return np.random.default_rng().random((wanted.batch, wanted.width))
def empty(wanted):
    return np.ones((wanted.batch, 0))
def failing(wanted):
    raise RuntimeError("no such disk")
def sometimes(wanted):
    return np.ones((wanted.batch, wanted.width if wanted.batch < 10 else 3))
""",
)


def examples_of(label, sources, batch=40, width=12, seed=0):
    return input_of(label, sources).examples(batch, width, Draws(seed))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(2, 60), st.integers(1, 30), st.sampled_from(["f8", "f4", "u1", "?"])
)
def test_moments_of_given_examples_are_those_of_plain_sums(seed, count, width, dtype):
    rng = np.random.default_rng(seed)
    values = (rng.gamma(1.0, 40.0, (count, width)) * rng.integers(0, 2, (count, 1))).astype(dtype)
    x = (values.astype(float) - 3.0) / 2.0
    found = moments_of(values, 3.0, 2.0)
    assert found.mean == pytest.approx(x.mean())
    assert found.second_moments.mean() == pytest.approx((x**2).mean())
    assert found.fourth_moment == pytest.approx((x**4).mean())
    assert found.images.sums.sum() == pytest.approx(x.sum(), abs=1e-9)
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for i, a in enumerate(x)
        for j, b in enumerate(x)
        if i != j and a.any() and b.any()
    ]
    assert found.cosine == pytest.approx(np.mean(cosines) if cosines else 0.0, abs=1e-9)


def test_sizes_are_equally_frequent_groups_from_the_faintest_to_the_boldest():
    values = np.arange(1.0, 321.0)[:, np.newaxis] * np.ones(3)
    found = moments_of(values[::-1]).second_moments
    assert len(found) == 16
    assert found == pytest.approx((values[:, 0] ** 2).reshape(16, 20).mean(axis=1))
    assert len(moments_of(np.ones((40, 3))).second_moments) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int32"])
def test_examples_of_an_array_are_its_rows_each_at_most_once(dtype):
    values = np.random.default_rng(0).integers(0, 200, (100, 6)).astype(dtype)
    values[:, 0] = np.arange(100)
    data = Held({"x": values})
    x = examples_of("mine.npz", (data,), 60, 6)
    assert len(set(x[:, 0])) == 60
    assert all((row == values[int(row[0])]).all() for row in x)
    assert sorted(examples_of("mine.npz", (data,), 100, 6)[:, 0]) == list(range(100))
    assert (x != examples_of("mine.npz", (data,), 60, 6, seed=1)).any()


def test_examples_are_standardized_by_the_whole_array():
    values = np.random.default_rng(0).gamma(2.0, 9.0, (500, 8))
    x = examples_of("mine.npz(standardize=True)", (Held({"x": values}),), 500, 8)
    assert x.mean() == pytest.approx(0, abs=1e-12)
    assert x.std() == pytest.approx(1)
    with pytest.raises(LabelError, match="cannot be standardized"):
        input_of("mine.npz(standardize=True)", (Held({"x": np.ones((5, 3))}, digest="1"),))


def test_the_width_is_the_arrays_and_there_are_as_many_examples():
    entry = input_of("mine.npz(array=y)", (Held({"x": np.ones((5, 3)), "y": np.ones((7, 4))}),)).entry
    assert (entry.width, entry.largest_batch) == (4, 7)


def test_a_function_follows_the_width_or_has_its_own():
    assert input_of("mine.py:tall", (FUNCTIONS,)).entry.width is None
    assert input_of("mine.py:images", (FUNCTIONS,)).entry.width == 12
    x = examples_of("mine.py:tall(std=2.0)", (FUNCTIONS,), 1000, 50)
    assert x.std() == pytest.approx(2.0, rel=0.02)
    assert (x == examples_of("mine.py:tall(std=2.0)", (FUNCTIONS,), 1000, 50)).all()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wider", "gave 25 entries an example where wanted.width was 24"),
        ("fewer", "shape"),
        ("flat", "shape"),
        ("listed", "must return an array of real numbers"),
        ("texts", "must return an array of real numbers"),
        ("infinite", "not finite"),
        ("empty", "shape"),
        ("random", "take random numbers from wanted.generator"),
        ("counting", "gives other numbers each time"),
        ("unseeded", "gives other numbers each time"),
        ("failing", "RuntimeError: no such disk"),
        ("nothing", "has no function"),
    ],
)
def test_a_function_that_gives_no_examples_is_refused_before_anything_runs(name, said):
    with pytest.raises(LabelError, match=said):
        input_of(f"mine.py:{name}", (FUNCTIONS,))


def test_a_function_that_changes_its_mind_is_refused_when_it_does():
    with pytest.raises(LabelError, match="gave 3 entries an example, not 12"):
        examples_of("mine.py:sometimes", (FUNCTIONS,))


@pytest.mark.parametrize("label", ["mine.npz", "mine.npz(standardize=True)", "mine.py:images"])
def test_cells_with_examples_of_ones_own_agree_with_the_explicit_reference(label):
    values = np.random.default_rng(4).integers(0, 256, (90, 12), dtype=np.uint8)
    sources = (Held({"x": values}),) if "npz" in label else (FUNCTIONS,)
    probe = Probe(batch=33, input=label, dtype="float64", input_width=12)
    cell = Cell("lecun_normal", "tanh", 3, "15-9", 2, probe, sources)
    x = examples_of(label, sources, 33, 12, seed=2).astype(float)
    assert_agrees(measured(cell)[cell], reference.rows(cell, x), "float64")


def test_what_the_examples_are_is_part_of_the_identity():
    def cell(label, source):
        return Cell("zeros", "relu", 1, "5", 0, Probe(input=label), (source,))

    held = Held({"x": np.ones((5, 3))})
    edited = dataclasses.replace(FUNCTIONS, text=FUNCTIONS.text + "# and more")
    cells = [
        cell("mine.npz", held),
        cell("mine.npz", dataclasses.replace(held, digest="f" * 16)),
        cell("mine.py:tall", FUNCTIONS),
        cell("mine.py:tall", edited),
        Cell("zeros", "relu", 1, "5", 0, Probe()),
    ]
    assert len({each.id for each in cells}) == len(cells)


def test_theory_knows_the_sizes_of_examples_of_ones_own():
    values = np.random.default_rng(1).gamma(0.5, 30.0, (3000, 40)) * np.linspace(0.1, 2.0, 3000)[:, None]
    sources = (Held({"x": values}),)
    probe = Probe(batch=2000, input="mine.npz", dtype="float64", input_width=40)
    cells = [Cell("he_normal", "tanh", 3, "300", seed, probe, sources) for seed in range(4)]
    measured_ = np.mean([table["h_std"] for table in measured(*cells).values()], axis=0)
    found = predict(initializer("he_normal"), activation("tanh"), 3, "300", probe, sources)
    assert found.h_std == pytest.approx(measured_, rel=0.02)
    assert predict(
        initializer("constant(value=0.01)"), activation("relu"), 2, "30", probe, sources
    ).h_std == pytest.approx(
        measured(Cell("constant(value=0.01)", "relu", 2, "30", 0, probe, sources)).popitem()[1]["h_std"],
        rel=0.05,
    )


@pytest.mark.parametrize("function", ["relu", "tanh", "sigmoid"])
def test_theory_knows_examples_some_of_which_are_blank(function):
    values = np.random.default_rng(1).normal(size=(1600, 40))
    values[:400] = 0
    sources = (Held({"x": values}),)
    probe = Probe(batch=1600, input="mine.npz", dtype="float64", input_width=40)
    cells = [Cell("he_normal", function, 2, "400", seed, probe, sources) for seed in range(4)]
    found = np.mean([table["h_std"] for table in measured(*cells).values()], axis=0)
    expected = predict(initializer("he_normal"), activation(function), 2, "400", probe, sources).h_std
    assert expected == pytest.approx(found, rel=0.05)


def test_what_the_catalogue_knows_of_an_input_it_knows_without_making_it():
    for entry in INPUTS.values():
        assert width_of(entry.label) == entry.width
        assert is_paired(entry.label) == entry.paired
    assert width_of("nowhere.npy") is None
    assert not is_paired("nowhere.py:data")
