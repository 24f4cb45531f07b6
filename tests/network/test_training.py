"""Training: gradients through the loss, a plain loop step for step, and what must not change."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import reference

from winit.network.activations import ACTIVATIONS, activation
from winit.network.datasets import dataset
from winit.network.draws import Draws
from winit.network.initializers import INITIALIZERS
from winit.network.training import (
    COLUMNS,
    Model,
    Run,
    Task,
    accuracy,
    cross_entropy,
    recorded_steps,
    softmax_error,
    train,
)

STEP = 1e-6


def run(initializer="lecun_normal", function="tanh", depth=2, width="12", rate=0.1, seed=0, **task):
    return Run(initializer, function, depth, width, rate, seed, Task(**{"steps": 20, "batch": 16} | task))


def trained(*args, **kwargs):
    (found,) = train([run(*args, **kwargs)])
    return found


def steps_of(found, name):
    """A column as (records, layers)."""
    return found.table[name].reshape(-1, found.cell.depth + 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e30])
def test_the_loss_is_the_mean_of_minus_log_softmax_whatever_the_size_of_the_outputs(dtype, scale):
    y = (np.random.default_rng(0).normal(size=(7, 4)) * scale).astype(dtype)
    labels = np.array([0, 1, 2, 3, 0, 1, 2])
    exact = y.astype(np.longdouble)
    exact -= exact.max(axis=1, keepdims=True)
    expected = np.mean(np.log(np.exp(exact).sum(axis=1)) - exact[np.arange(7), labels])
    assert cross_entropy(y, labels) == pytest.approx(float(expected), rel=1e-12)
    assert softmax_error(y, labels).dtype == dtype
    assert softmax_error(y, labels).sum(axis=1) == pytest.approx(np.zeros(7), abs=1e-5)


def test_the_loss_of_outputs_that_are_not_finite_is_nan():
    for value in (np.nan, np.inf, -np.inf):
        y = np.zeros((2, 3))
        y[0, 1] = value
        assert math.isnan(cross_entropy(y, np.array([1, 0])))


def test_accuracy_is_the_share_of_examples_whose_largest_output_is_their_class():
    assert accuracy(np.array([[1, 2], [3, 0], [0, 1], [0, 1]]), np.array([1, 0, 0, 1])) == 0.75


@pytest.mark.parametrize("function", [entry.label for entry in ACTIVATIONS.values()])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_gradients_are_the_differences_of_the_loss(function, depth):
    rng = np.random.default_rng(1)
    made = run("glorot_uniform", function, depth, "5-3", bias_std=0.3, dtype="float64", data="spiral")
    x = rng.normal(size=(9, 2))
    labels = rng.integers(0, 3, 9)
    model = Model(made, Draws(0), x)

    def loss():
        *_, last = model.forward(x)
        return cross_entropy(last.h[0], labels)

    y, passed = model.gradients(x, labels)
    assert cross_entropy(y, labels) == loss()
    before = [(w.copy(), b.copy()) for w, b in zip(model.weights, model.biases, strict=True)]
    model.update(passed, 1.0)
    gradients = [
        (w - new_w, b - new_b)
        for (w, b), new_w, new_b in zip(before, model.weights, model.biases, strict=True)
    ]
    model.weights, model.biases = (list(part) for part in zip(*before, strict=True))
    assert len(gradients) == depth + 1
    for layer, pair in enumerate(gradients):
        for parameters, gradient in zip((model.weights[layer], model.biases[layer]), pair, strict=True):
            assert parameters.shape == gradient.shape
            for place in np.ndindex(parameters.shape):
                ends = []
                value = parameters[place]
                for sign in (1, -1):
                    parameters[place] = value + sign * STEP
                    ends.append(loss())
                parameters[place] = value
                expected = (ends[0] - ends[1]) / (2 * STEP)
                assert gradient[place] == pytest.approx(expected, rel=2e-5, abs=1e-8)


PHI = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: z * (z > 0), lambda z: 1.0 * (z > 0)),
    "identity": (lambda z: z, np.ones_like),
}


def plain_loop(made, x, labels):
    """The same training, written plainly in float64; yields W and b of every layer before each step."""
    entry = dataset(made.task.data).entry
    widths = [entry.width, *[int(made.width)] * made.depth, entry.classes]
    functions = [PHI[made.activation]] * made.depth + [PHI["identity"]]
    w, b = [], []
    for index, (n_in, n_out) in enumerate(itertools.pairwise(widths), 1):
        purpose = (1, index) if index <= made.depth else (3, 0)
        drawn = reference.normal(made.seed, *purpose, (n_in, n_out), np.dtype(made.task.dtype))
        w.append((drawn * math.sqrt(1 / n_in)).astype(np.float64))
        drawn = reference.normal(made.seed, 2, index, (n_out,), np.dtype(np.float32))
        b.append(drawn.astype(np.float64) * made.task.bias_std)
    epoch, place, order = 0, 0, reference.stream(made.seed, 6, 0).permutation(len(x))
    while True:
        if place + made.task.batch > len(x):
            epoch, place = epoch + 1, 0
            order = reference.stream(made.seed, 6, epoch).permutation(len(x))
        chosen = order[place : place + made.task.batch]
        place += made.task.batch
        yield w, b, chosen
        hs, zs = [x[chosen]], []
        for weights, bias, (phi, _) in zip(w, b, functions, strict=True):
            zs.append(hs[-1] @ weights + bias)
            hs.append(phi(zs[-1]))
        e = np.exp(hs[-1])
        g = e / e.sum(axis=1, keepdims=True) - np.eye(entry.classes)[labels[chosen]]
        for layer in reversed(range(len(w))):
            delta = g * functions[layer][1](zs[layer])
            g = delta @ w[layer].T
            w[layer] = w[layer] - made.learning_rate * hs[layer].T @ delta / len(chosen)
            b[layer] = b[layer] - made.learning_rate * delta.mean(axis=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", ["tanh", "relu"])
@pytest.mark.parametrize(("data", "depth"), [("digits", 2), ("digits", 0), ("spiral", 3)])
def test_training_follows_a_plain_loop_step_for_step(data, depth, function, dtype):
    made = run(function=function, depth=depth, data=data, bias_std=0.1, steps=120, batch=64, dtype=dtype)
    split = dataset(data).split(Draws(0))
    (found,) = train([made])
    tolerance = 1e-9 if dtype == "float64" else 2e-3
    columns = {name: steps_of(found, name) for name in ("loss", "accuracy", "w_std", "w_mean", "step")}
    seen = 0
    functions = [PHI[function][0]] * depth + [PHI["identity"][0]]
    for step, (w, b, _) in zip(range(121), plain_loop(made, split.x, split.labels), strict=False):
        if step not in recorded_steps(120):
            continue

        def outputs(h, w=w, b=b):
            for weights, bias, phi in zip(w, b, functions, strict=True):
                h = phi(h @ weights + bias)
            return h

        record = {name: values[seen] for name, values in columns.items()}
        y = outputs(split.x)
        loss = np.mean(np.log(np.exp(y).sum(axis=1)) - y[np.arange(len(y)), split.labels])
        assert (record["step"] == step).all()
        assert record["loss"] == pytest.approx(np.full(depth + 1, loss), rel=tolerance)
        right = np.mean(outputs(split.held_out_x).argmax(axis=1) == split.held_out_labels)
        assert record["accuracy"] == pytest.approx(right, abs=0.006)
        assert record["w_std"] == pytest.approx([part.std() for part in w], rel=tolerance)
        seen += 1
    assert seen == len(columns["loss"]) == len(recorded_steps(120))


def test_what_is_measured_at_a_step_is_that_of_the_network_and_of_its_next_update():
    made = run("he_normal", "relu", depth=2, steps=3, rate=0.5, dtype="float64")
    (found,) = train([made])
    split = dataset("digits").split(Draws(0))
    order = reference.stream(0, 6, 0).permutation(len(split.x))[:16]
    model = Model(made, Draws(0), split.x[order])
    before = [w.copy() for w in model.weights]
    layers = list(model.forward(split.x))
    _, passed = model.gradients(split.x[order], split.labels[order])
    first = {name: values[:3] for name, values in found.table.items()}
    assert first["saturated_fraction"][:2] == pytest.approx([(layer.z <= 0).mean() for layer in layers[:2]])
    dead = [int((layer.z[0] <= 0).all(axis=0).sum()) for layer in layers[:2]]
    assert first["dead_units"].tolist()[:2] == dead
    assert first["distinct_units"].tolist() == [reference.distinct(layer.h[0]) for layer in layers]
    assert first["distinct_errors"].tolist() == [
        reference.distinct(back.errors.delta[0]) for back in passed[::-1]
    ]
    model.update(passed, 0.5)
    moved = [np.linalg.norm(new - old) for new, old in zip(model.weights, before, strict=True)]
    sizes = [np.linalg.norm(old) for old in before]
    assert first["update_to_weight"] == pytest.approx(np.divide(moved, sizes))
    assert first["weight_grad_norm"] == pytest.approx(np.divide(moved, 0.5))


@pytest.mark.parametrize("function", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("value", [0.0, 0.1, -0.3])
def test_constant_weights_stay_one_unit_after_1000_steps(value, function):
    found = trained(f"constant(value={value})", function, depth=3, steps=1000)
    assert steps_of(found, "step")[-1, 0] == 1000
    assert (steps_of(found, "distinct_units")[:, :-1] == 1).all()
    assert (steps_of(found, "distinct_errors")[:, :-1] == 1).all()


@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_zeros_leave_the_inner_layers_without_any_gradient(function):
    found = trained("zeros", function, depth=3, steps=50)
    assert (steps_of(found, "weight_grad_norm") == 0).all()
    assert (steps_of(found, "w_std") == 0).all()
    assert np.isnan(found.table["update_to_weight"]).all()


def test_zeros_train_a_linear_model():
    found = trained("zeros", depth=0, steps=300, batch=64)
    assert found.table["accuracy"][-1] > 0.9


def test_a_run_that_diverges_ends_there_and_raises_nothing():
    found = trained("normal(std=10.0)", "relu", depth=6, width="40", rate=10.0, steps=100)
    assert 0 < steps_of(found, "step")[-1, 0] < 100
    assert np.isnan(steps_of(found, "loss")[-1]).all()
    assert np.isfinite(steps_of(found, "loss")[:-1]).all()
    assert np.isfinite(trained(steps=10).table["loss"]).all()


def test_what_is_not_finite_classifies_nothing():
    y = np.array([[np.nan, 0], [0, 1], [-np.inf, -np.inf], [np.inf, 0]])
    assert accuracy(y, np.array([0, 1, 0, 0])) == 0.25
    found = trained("lecun_normal", "relu", rate=1e30, steps=50)
    assert steps_of(found, "accuracy")[-1, 0] == 0


def test_outputs_that_overflow_before_the_first_step_count_as_divergence_at_step_0():
    found = trained("normal(std=1e10)", "relu", depth=8, steps=5)
    assert steps_of(found, "step")[:, 0].tolist() == [0]


@pytest.mark.parametrize("steps", [1, 2, 7, 100, 1000, 12345])
def test_recorded_steps_are_the_first_the_last_and_five_a_decade(steps):
    found = recorded_steps(steps)
    assert found[0] == 0
    assert found[-1] == steps
    assert list(found) == sorted(set(found))
    ratios = np.divide(found[7:-1], found[6:-2])
    assert (ratios == pytest.approx(10**0.2, rel=0.1)) or len(ratios) == 0


def test_a_run_alone_and_among_others_gives_the_same_bits():
    runs = [
        run(name, depth=depth, seed=seed)
        for name in ("he_normal", "lsuv")
        for depth in (0, 2)
        for seed in (0, 1)
    ]
    together = {found.cell: found.table for found in train(runs[::-1])}
    assert together.keys() == set(runs)
    for each in runs:
        (alone,) = train([each])
        for name, column in alone.table.items():
            assert column.tobytes() == together[each][name].tobytes(), name


def test_runs_that_differ_in_the_learning_rate_start_from_the_same_network():
    slow, fast = (trained(rate=rate).table for rate in (0.01, 0.2))
    assert slow["loss"][0] == fast["loss"][0]
    assert slow["loss"][-1] != fast["loss"][-1]


def test_a_batch_larger_than_the_data_is_all_of_it():
    found, same = (trained(batch=batch, steps=3).table for batch in (5000, 1438))
    assert (found["loss"] == same["loss"]).all()


@pytest.mark.parametrize("label", [entry.label for entry in INITIALIZERS.values()])
@pytest.mark.parametrize("depth", [0, 2])
def test_every_initializer_can_be_trained(label, depth):
    found = trained(label, depth=depth, steps=2)
    assert found.table.keys() == {column.name for column in COLUMNS} | {"step", "layer"}
    assert (steps_of(found, "layer") == np.arange(1, depth + 2)).all()


def test_the_identity_of_a_run_hangs_on_all_that_decides_its_numbers_and_on_nothing_else():
    first = run()
    others = [
        run("he_normal"),
        run(function="relu"),
        run(depth=3),
        run(width="13"),
        run(rate=0.2),
        run(seed=1),
        *(
            run(**change)
            for change in ({"steps": 21}, {"batch": 17}, {"dtype": "float64"}, {"bias_std": 1.0})
        ),
        run(data="spiral"),
    ]
    assert len({made.id for made in [first, *others]}) == len(others) + 1
    assert dataclasses.replace(first, sources=()).id == first.id


def test_the_identity_is_the_same_in_every_process():
    assert run().id == "3a6ae9f114f9fa8e3243"


def test_the_readout_of_a_sigmoid_network_is_linear():
    *_, last = Model(run(function="sigmoid"), Draws(0), np.ones((3, 64), np.float32)).forward(
        np.ones((3, 64), np.float32)
    )
    assert (last.h == last.z).all()
    assert (last.derivative == 1).all()
    assert activation("identity").largest_derivative == 1
