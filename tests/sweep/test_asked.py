"""One network, asked for by labels, or by functions and arrays themselves."""

import functools
import gc
import math
import weakref

import numpy as np
import pytest

import winit

X = np.random.default_rng(0).normal(size=(40, 20))
SHAPES = [(20, 50), (50, 30), (30, 5)]
MATRICES = [
    np.random.default_rng(k).normal(size=shape) / math.sqrt(shape[0]) for k, shape in enumerate(SHAPES)
]


def he(layer, gain: float = 1.0):
    return winit.Law("normal", std=gain * math.sqrt(2 / layer.fan_in))


def slow_tanh(z):
    h = np.tanh(z)
    return h, 1 - h * h


def noise(wanted):
    return wanted.generator.random((wanted.batch, wanted.width))


def same(one, other, *but):
    names = [
        name
        for name in one.column_names
        if name not in {"cell_id", "initializer", "activation", "input", *but}
    ]
    return one.select(names).equals(other.select(names))


def test_functions_are_what_their_labels_are():
    by_label = winit.simulate("he_normal", "tanh", depth=3, width=40, batch=50)
    assert same(winit.simulate(he, "tanh", depth=3, width=40, batch=50), by_label)
    assert winit.simulate(he, slow_tanh, depth=3, width=40, batch=50)["h_std"].to_pylist() == pytest.approx(
        by_label["h_std"].to_pylist()
    )
    predicted, expected = winit.theory(he, "tanh", 3, 40), winit.theory("he_normal", "tanh", 3, 40)
    assert same(predicted, expected)


class Called:
    def __call__(self, layer):
        return he(layer)


@pytest.mark.parametrize("function", [he, functools.partial(he, gain=1.0), Called()])
def test_a_function_needs_no_name(function):
    rows = winit.simulate(function, lambda z: slow_tanh(z + 0.0), depth=2, width=10, batch=20)
    assert rows["initializer"][0].as_py() == ("here:he" if function is he else "here:initializer")
    assert rows["activation"][0].as_py() == "here:activation"
    assert rows.select(["h_std"]).equals(
        winit.simulate("he_normal", slow_tanh, depth=2, width=10, batch=20).select(["h_std"])
    )


def test_two_functions_of_one_name_are_two():
    def twin(z):
        return z * 2, np.full_like(z, 2)

    made = twin

    def twin(layer):
        return winit.Law("constant", mean=0.1)

    rows = winit.simulate(twin, made, depth=1, width=10, batch=20)
    assert rows["z_mean"][1].as_py() * 2 == pytest.approx(rows["h_mean"][1].as_py())


def test_edited_functions_are_not_taken_for_what_they_were():
    stds = []
    for gain in (1.0, 2.0):

        def init(layer, gain=gain):
            return he(layer, gain)

        stds.append(winit.simulate(init, "relu", depth=1, width=50, batch=50)["h_std"][1].as_py())
    assert stds[1] == pytest.approx(2 * stds[0])


def test_an_array_is_the_whole_batch():
    rows = winit.simulate("he_normal", "tanh", depth=2, width=30, input=X)
    assert rows["batch"][0].as_py() == 40
    assert rows["input"][0].as_py() == "here.npy"
    assert rows["fan_out"].to_pylist() == [20, 30, 30]
    assert rows["h_mean"][0].as_py() == pytest.approx(X.mean(), rel=1e-5)
    some = winit.simulate("he_normal", "tanh", depth=2, width=30, input=X.reshape(40, 4, 5), batch=10)
    assert some["batch"][0].as_py() == 10


def test_a_function_may_be_the_input():
    rows = winit.simulate("he_normal", "tanh", depth=2, width=30, input=noise, input_width=7, batch=500)
    assert rows["fan_out"].to_pylist() == [7, 30, 30]
    assert rows["h_mean"][0].as_py() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("bias", [None, 0.3])
def test_matrices_are_the_network(bias):
    made = MATRICES if bias is None else [winit.WithBias(w, np.full(w.shape[1], bias)) for w in MATRICES]
    rows = winit.simulate(made, "tanh", input=X, dtype="float64")
    stds, h = [X.std()], X
    for w in MATRICES[:-1]:
        h = np.tanh(h @ w + (bias or 0))
        stds.append(h.std())
    assert rows["h_std"].to_pylist() == pytest.approx(stds)
    assert rows["w_std"].to_pylist()[1:] == pytest.approx([w.std() for w in MATRICES[:-1]])
    assert rows["y_std"].to_pylist()[-1] == pytest.approx((h @ MATRICES[-1]).std())
    assert (rows["outputs"][0].as_py(), rows["width"][0].as_py()) == (5, "50-30")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: winit.simulate(MATRICES[::-1], "tanh"), "(fan_in, fan_out)"),
        (lambda: winit.simulate(MATRICES, "tanh", depth=7), "leave out depth and width"),
        (lambda: winit.simulate(MATRICES, "tanh", width=7), "leave out depth and width"),
        (lambda: winit.simulate(MATRICES[:1], "tanh"), "for each hidden layer, and one for the readout"),
        (lambda: winit.simulate([], "tanh"), "for each hidden layer, and one for the readout"),
        (lambda: winit.simulate(MATRICES, "tanh", input=X[:, :7]), "has 7 entries"),
        (lambda: winit.simulate([w * np.nan for w in MATRICES], "tanh"), "not finite"),
        (lambda: winit.theory(MATRICES, "tanh"), "not i.i.d."),
        (lambda: winit.simulate("he_normal", "tanh", input=X[0]), "examples want"),
        (lambda: winit.simulate("he_normal", "tanh", input=X * np.inf), "not finite"),
        (lambda: winit.simulate("he_normal", "tanh", input=5), "examples want"),
        (lambda: winit.simulate("he_normal", "tanh", input=[[1, 2], [3]]), "no array of examples"),
        (lambda: winit.simulate("he_normal", "tanh", input=["a", "b"]), "real numbers"),
        (lambda: winit.simulate("he_normal", "tanh", input=np.ma.masked_array(X, X > 1)), "masked"),
        (lambda: winit.simulate("he_normal", "tanh", input=X, batch=41), "there are 40 examples"),
        (lambda: winit.simulate("he_normal", lambda z: z), "must return the pair"),
        (lambda: winit.simulate(lambda layer: layer.depth / 0, "tanh"), "ZeroDivisionError"),
        (
            lambda: winit.simulate(lambda layer: np.random.default_rng().random(layer.shape), "tanh"),
            "layer.generator",
        ),
        (lambda: winit.simulate("here:he", "tanh"), "there is no module here"),
        (lambda: winit.simulate(3, "tanh"), "not text"),
    ],
)
def test_what_is_no_network_is_refused(ask, said):
    with pytest.raises(winit.WinitError) as caught:
        ask()
    assert said in str(caught.value)


def test_other_functions_and_arrays_have_other_ids():
    def scaled(gain):
        return lambda layer: he(layer, gain)

    def id_(initializer="he_normal", x=None):
        return winit.simulate(initializer, "tanh", batch=10, input="normal" if x is None else x)["cell_id"][0]

    pixels = np.arange(150, 190, dtype=np.uint8).reshape(10, 4)
    others = [[w * 2 for w in MATRICES], [w.astype(np.float32) for w in MATRICES]]
    ids = [id_(scaled(1.0)), id_(scaled(2.0)), id_(x=pixels), id_(x=pixels.view(np.int8)), id_(MATRICES)]
    ids += [id_(matrices) for matrices in others]
    assert len(set(ids)) == len(ids)
    assert id_(MATRICES) == id_([w.copy() for w in MATRICES])


def test_sizes_may_be_of_numpy():
    expected = winit.simulate("he_normal", "relu", 2, 8, batch=10)
    for width in (np.int64(8), 8.0, "8", np.float32(8)):
        assert same(winit.simulate("he_normal", "relu", np.int64(2), width, batch=10), expected)
    for width in ([8, 4], (8, 4), np.array([8, 4])):
        assert winit.simulate("he_normal", "relu", width=width, batch=10)["fan_out"].to_pylist() == [8, 8, 4]
    square = np.stack([np.eye(4)] * 3)
    assert winit.simulate(square, "identity", input=X[:, :4])["depth"][0].as_py() == 2
    assert winit.simulate(MATRICES, "tanh", batch=10, input_width=None)["fan_in"][1].as_py() == 20


def test_two_things_of_one_role_are_two():
    def activation(layer):
        return he(layer)

    rows = winit.simulate(activation, lambda z: slow_tanh(z), depth=1, width=8, batch=10)  # noqa: PLW0108
    assert (rows["initializer"][0].as_py(), rows["activation"][0].as_py()) == (
        "here:activation",
        "here:activation_",
    )


def given_away(what):
    """A reference to what was given, and is nobody's any more but perhaps of what it was given to."""
    x, matrices = X.copy(), [w.copy() for w in MATRICES]

    def init(layer):
        return he(layer, float(len(x) > 0))

    if what == "weights":
        winit.simulate(matrices, "tanh", input=X)
        return weakref.ref(matrices[0])
    if what == "input":
        winit.simulate("he_normal", "tanh", depth=1, width=8, input=x)
    else:
        winit.simulate(init, "tanh", depth=1, width=8, batch=10)
    return weakref.ref(x)


@pytest.mark.parametrize("what", ["function", "weights", "input"])
def test_what_was_given_is_let_go(what):
    watched = given_away(what)
    gc.collect()
    assert watched() is None


def test_nothing_is_held_when_the_call_is_over():
    winit.simulate(he, "tanh", depth=1, width=10, batch=10, input=X[:, :10])
    for labels in (("here:he", "tanh", "normal"), ("he_normal", "tanh", "here.npy")):
        with pytest.raises(winit.WinitError):
            winit.simulate(*labels[:2], depth=1, width=10, batch=10, input=labels[2])
