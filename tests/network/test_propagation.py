"""The backward pass against finite differences of the forward pass, for every activation."""

import itertools

import numpy as np
import pytest
from stacks import FLOATS

from winit.network import statistics
from winit.network.activations import ACTIVATIONS, activation
from winit.network.draws import Draws
from winit.network.initializers.entry import Matrix, Scaled
from winit.network.propagation import Trace, backward, forward, mend, product, weight_gradient

WIDTHS = (5, 6, 4, 3)
OUTPUTS = 2
STEP = 1e-6


def network(seed=0, label=""):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(7, WIDTHS[0]))
    # Of the exponential three layers overflow, unless their weights are small.
    std = 0.1 if label == "exponential" else 1
    weights = [rng.normal(scale=std, size=shape) for shape in itertools.pairwise(WIDTHS)]
    readout = rng.normal(size=(WIDTHS[-1], OUTPUTS))
    cotangent = rng.normal(size=(len(x), OUTPUTS))
    return x, weights, readout, cotangent


def passed_forward(x, weights, phi):
    """The layers of a stack of one network."""
    return list(
        forward(x[np.newaxis], lambda index, _: ([Matrix(weights[index - 1])], None), phi, len(weights))
    )


def loss(x, weights, readout, cotangent, phi):
    """Σ v · y / batch, whose gradient by y is the cotangent / batch."""
    last = passed_forward(x, weights, phi)[-1]
    return (cotangent * (last.h[0] @ readout)).sum() / len(x)


def gradients(x, weights, readout, cotangent, phi):
    """By layer, its inputs and what comes back to it."""
    layers = passed_forward(x, weights, phi)
    traces = [Trace(layer.weights, layer.derivative) for layer in layers]
    steps = backward(traces, [Matrix(readout)], cotangent[np.newaxis])
    return {index: (layers[index - 1].inputs, errors) for index, errors in steps}


@pytest.mark.parametrize("label", [entry.label for entry in ACTIVATIONS.values()])
def test_weight_gradients_are_the_differences_of_the_loss(label):
    phi = activation(label)
    x, weights, readout, cotangent = network(0, label)
    found = gradients(x, weights, readout, cotangent, phi)
    for index, matrix in enumerate(weights, 1):
        expected = np.empty_like(matrix)
        for place in np.ndindex(matrix.shape):
            ends = []
            for sign in (1, -1):
                moved = [w.copy() for w in weights]
                moved[index - 1][place] += sign * STEP
                ends.append(loss(x, moved, readout, cotangent, phi))
            expected[place] = (ends[0] - ends[1]) / (2 * STEP)
        inputs, errors = found[index]
        gradient = weight_gradient(inputs, errors.delta)
        assert gradient.shape == (1, *matrix.shape)
        assert gradient[0] == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("label", [entry.label for entry in ACTIVATIONS.values()])
def test_errors_are_the_differences_of_each_examples_loss_by_its_units(label):
    phi = activation(label)
    x, weights, readout, cotangent = network(1, label)
    found = gradients(x, weights, readout, cotangent, phi)
    # ∂L/∂h_1 of the first example: push its first hidden layer through the rest of the network.
    h = found[2][0][0]
    for unit in range(h.shape[1]):
        ends = []
        for sign in (1, -1):
            moved = h.copy()
            moved[0, unit] += sign * STEP
            ends.append(loss(moved, weights[1:], readout, cotangent, phi) * len(x))
        expected = (ends[0] - ends[1]) / (2 * STEP)
        assert found[1][1].g[0, 0, unit] == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_the_layers_come_back_from_the_last_to_the_first():
    found = gradients(*network(), activation("tanh"))
    assert list(found) == [3, 2, 1]


def drawn(seed, shape, dtype):
    return Draws(seed).standard("normal", "weights", 1, shape, dtype)


def of_each_kind(networks, shape, dtype):
    """Weights of networks: by turns a matrix, a draw that is scaled, and another."""
    kinds = (
        lambda k: Matrix(drawn(k, shape, dtype).values),
        lambda _: Scaled(drawn(99, shape, dtype), float(dtype(0.3))),
        lambda _: Scaled(drawn(99, shape, dtype), float(dtype(1.7))),
    )
    return [kinds[k % 3](k) for k in range(networks)]


def assert_is_product(found, values, weights, *, transposed):
    """Each network's is that of extended precision, up to the rounding of the products and of the result."""
    assert found.dtype == values.dtype
    for k, network in enumerate(weights):
        exact = values[min(k, len(values) - 1)].astype(np.longdouble)
        w = network.matrix.astype(np.longdouble) * np.longdouble(network.scale)
        w = w.T if transposed else w
        size = np.abs(exact) @ np.abs(w)
        info = np.finfo(values.dtype)
        allowed = (len(w) + 4) * np.longdouble(info.eps) * size + info.smallest_subnormal
        assert np.isfinite(found[k]).all()
        assert (np.abs(found[k] - exact @ w) <= allowed).all()


def rows(dtype, networks, units, *sizes):
    """Ordinary examples, one of zeros, and one of each of these sizes."""
    values = np.random.default_rng(1).uniform(-1, 1, size=(networks, 3 + len(sizes), units)).astype(dtype)
    values[:, 1] = 0
    for place, size in enumerate(sizes, 3):
        values[:, place] *= dtype(size)
    return values


def whole_product(values, weights, *, transposed=False):
    """The product as the passes take it: multiplied by the scales, and mended."""
    made, scales = product(values, weights, transposed=transposed)
    mend(made, statistics.scale(made, scales), values, weights, transposed=transposed)
    return made


VANISHING = {np.float32: 1e-40, np.float64: 1e-310}
HUGE = {np.float32: 1e38, np.float64: 1e308}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [0, -30, -110, -126, -140])
def test_products_of_small_examples_are_exact(dtype, exponent):
    rng = np.random.default_rng(0)
    ordinary = rng.normal(size=(6, 8)).astype(dtype)
    weights = rng.normal(size=(8, 5)).astype(dtype)
    small = np.ldexp(ordinary, exponent if dtype == np.float32 else 8 * exponent)
    small[1] = 0
    small[2] = ordinary[2]
    expected = small.astype(np.longdouble) @ weights.astype(np.longdouble)
    smallest = np.finfo(dtype).smallest_subnormal
    eps = np.finfo(dtype).eps
    size = np.abs(small).astype(np.longdouble) @ np.abs(weights)
    (found,) = whole_product(small[np.newaxis], [Matrix(weights)])
    assert (np.abs(found - expected) <= 8 * eps * size + smallest).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("vanishing", [False, True])
def test_products_are_those_of_extended_precision(vanishing, shared, transposed, dtype):
    weights = of_each_kind(3, (40, 40), dtype)
    values = rows(dtype, 1 if shared else 3, 40, *([VANISHING[dtype]] if vanishing else []), 1e-15)
    found = whole_product(values, weights, transposed=transposed)
    assert_is_product(found, values, weights, transposed=transposed)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("scale", [1e-3, 1e-30])
def test_a_small_scale_keeps_products_of_huge_values_finite(scale, shared, transposed, dtype):
    standard = drawn(0, (40, 40), dtype)
    weights = [Scaled(standard, float(dtype(scale))), Scaled(standard, float(dtype(scale / 7)))]
    # The product with the draw itself is beyond the largest float.
    values = rows(dtype, 1 if shared else 2, 40, HUGE[dtype], VANISHING[dtype])
    values[:, 3] = np.copysign(dtype(HUGE[dtype]), values[:, 3])
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.isfinite(values[0] @ standard.values).all()
        found = whole_product(values, weights, transposed=transposed)
    assert_is_product(found, values, weights, transposed=transposed)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_a_large_scale_keeps_the_digits_of_vanishing_values(shared, transposed, dtype):
    standard = drawn(0, (40, 40), dtype)
    weights = [Scaled(standard, float(dtype(scale))) for scale in (1e20, 1e30)]
    values = rows(dtype, 1 if shared else 2, 40, VANISHING[dtype], VANISHING[dtype] * 1e4)
    with np.errstate(over="ignore"):
        found = whole_product(values, weights, transposed=transposed)
    assert_is_product(found, values, weights, transposed=transposed)
    size = 1e15 * VANISHING[dtype]
    assert (np.abs(found[:, 3]).max(axis=1) > size).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_product_that_is_too_large_is_infinite_and_of_no_concern_to_others(dtype):
    weights = [Matrix(np.full((4, 3), value, dtype)) for value in (1e-3, 1e3)]
    values = np.full((1, 2, 4), HUGE[dtype], dtype)
    values[0, 1] = 1
    with np.errstate(over="ignore"):
        found = whole_product(values, weights)
    assert np.isposinf(found[1, 0]).all()
    assert found[1, 1] == pytest.approx([4e3] * 3)
    assert_is_product(found[:1], values, weights[:1], transposed=False)


@pytest.mark.parametrize("dtype", FLOATS)
def test_values_that_are_not_finite_stay_so_and_leave_the_other_examples_alone(dtype):
    weights = of_each_kind(3, (6, 5), dtype)
    values = rows(dtype, 3, 6, 1.0, 1.0, VANISHING[dtype])
    expected = whole_product(values, weights)
    values[:, 3, 2], values[:, 4, 2] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        found = whole_product(values, weights)
    assert np.isnan(found[:, 3]).all()
    assert np.isinf(found[:, 4]).all()
    others = [0, 1, 2, 5]
    assert (found[:, others] == expected[:, others]).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (13, 40)])
def test_a_network_in_a_stack_has_the_product_that_it_has_alone(shape, transposed, dtype):
    weights = of_each_kind(6, shape, dtype)
    values = rows(dtype, 6, shape[1 if transposed else 0], 1e-10)
    values[2, 0] *= dtype(VANISHING[dtype])
    values[4, 0] *= dtype(HUGE[dtype] / 1e3)
    values[5, 0] *= dtype(HUGE[dtype])
    with np.errstate(over="ignore", invalid="ignore"):
        for given in (values, values[:1], values[2:3], values[5:]):
            together = whole_product(given, weights, transposed=transposed)
            for k, network in enumerate(weights):
                own = given[min(k, len(given) - 1)][np.newaxis].copy()
                alone = whole_product(own, [network], transposed=transposed)
                assert together[k].tobytes() == alone[0].tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("label", ["tanh", "relu"])
def test_a_network_in_a_stack_has_the_passes_that_it_has_alone(label, dtype):
    phi = activation(label)
    widths = (9, 12, 7, 5)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 8, widths[0])).astype(dtype)
    cotangent = rng.normal(size=(1, 8, 3)).astype(dtype)
    weights = [of_each_kind(3, shape, dtype) for shape in itertools.pairwise(widths)]
    readout = of_each_kind(3, (widths[-1], 3), dtype)
    biases = [rng.normal(size=(3, 1, width)).astype(dtype) for width in widths[1:]]

    def arrays(chosen):
        def parameters(index, _):
            return weights[index - 1][chosen], biases[index - 1][chosen]

        layers = list(forward(x, parameters, phi, 3))
        for layer in layers:
            yield from (layer.z, layer.z_moments, layer.h, layer.derivative)
        for index, errors in backward(layers, readout[chosen], cotangent, magnitudes=True):
            yield from (errors.g, errors.delta, errors.largest, errors.moments, errors.magnitudes)
            yield weight_gradient(layers[index - 1].inputs, errors.delta)

    together = list(arrays(slice(None)))
    for k in range(3):
        for found, alone in zip(together, arrays(slice(k, k + 1)), strict=True):
            assert len(found) == 3
            assert found[k].tobytes() == alone[0].tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_weights_that_are_a_scaled_draw_have_its_moments_and_entries(dtype):
    weights = Scaled(drawn(0, (30, 20), dtype), float(dtype(0.3)))
    assert weights.array.dtype == dtype
    assert (weights.array == drawn(0, (30, 20), dtype).values * dtype(0.3)).all()
    assert weights.moments == pytest.approx(Matrix(weights.array).moments, rel=1e-6, abs=1e-8)
