"""The backward pass against finite differences of the forward pass, for every activation."""

import itertools

import numpy as np
import pytest

from winit.network.activations import ACTIVATIONS, activation
from winit.network.propagation import Trace, backward, forward, product, weight_gradient

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


def loss(x, weights, readout, cotangent, phi):
    """Σ v · y / batch, whose gradient by y is the cotangent / batch."""
    *_, last = forward(x, lambda index, _: (weights[index - 1], None), phi, len(weights))
    return (cotangent * (last.h @ readout)).sum() / len(x)


def gradients(x, weights, readout, cotangent, phi):
    layers = [
        Trace(layer.inputs, layer.weights, layer.derivative)
        for layer in forward(x, lambda index, _: (weights[index - 1], None), phi, len(weights))
    ]
    return {layer.index: layer for layer in backward(layers, readout, cotangent)}


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
        assert weight_gradient(found[index]) == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("label", [entry.label for entry in ACTIVATIONS.values()])
def test_errors_are_the_differences_of_each_examples_loss_by_its_units(label):
    phi = activation(label)
    x, weights, readout, cotangent = network(1, label)
    found = gradients(x, weights, readout, cotangent, phi)
    # ∂L/∂h_1 of the first example: push its first hidden layer through the rest of the network.
    h = found[2].inputs
    for unit in range(h.shape[1]):
        ends = []
        for sign in (1, -1):
            moved = h.copy()
            moved[0, unit] += sign * STEP
            ends.append(loss(moved, weights[1:], readout, cotangent, phi) * len(x))
        expected = (ends[0] - ends[1]) / (2 * STEP)
        assert found[1].g[0, unit] == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_the_layers_come_back_from_the_last_to_the_first():
    found = gradients(*network(), activation("tanh"))
    assert list(found) == [3, 2, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
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
    assert (np.abs(product(small, weights) - expected) <= 8 * eps * size + smallest).all()
