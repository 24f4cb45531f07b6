"""Properties of every activation of the catalogue."""

import numpy as np
import pytest

from winit.network.activations import ACTIVATIONS, activation

LABELS = [
    *(entry.label for entry in ACTIVATIONS.values()),
    "leaky_relu(negative_slope=0.2)",
    "elu(alpha=2.0)",
]
SMOOTH = np.concatenate([np.linspace(-8, -0.01, 400), np.linspace(0.01, 8, 400)])


@pytest.mark.parametrize("label", LABELS)
def test_the_derivative_is_that_of_the_function(label):
    phi = activation(label)
    step = 1e-6
    differences = (phi(SMOOTH + step)[0] - phi(SMOOTH - step)[0]) / (2 * step)
    assert phi(SMOOTH)[1] == pytest.approx(differences, abs=2e-8)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_outputs_are_new_arrays_of_the_inputs_shape_and_dtype(label, dtype):
    z = np.linspace(-3, 3, 12, dtype=dtype).reshape(3, 4)
    before = z.copy()
    for output in activation(label)(z):
        assert (output.shape, output.dtype) == (z.shape, z.dtype)
        assert not np.shares_memory(output, z)
    assert (z == before).all()


@pytest.mark.parametrize("label", LABELS)
def test_float32_is_as_good_as_float32_can_be(label):
    z = np.linspace(-20, 20, 4001).astype(np.float32)
    for single, double in zip(activation(label)(z), activation(label)(z.astype(np.float64)), strict=True):
        assert single == pytest.approx(double, rel=2e-6, abs=2e-7)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extremes_stay_finite(label, dtype):
    z = np.array([-1e30, -1e4, -90, 0, 90, 1e4, 1e30], dtype)
    with np.errstate(all="ignore"):
        h, derivative = activation(label)(z)
    assert np.isfinite(h).all()
    assert np.isfinite(derivative).all()


@pytest.mark.parametrize("label", LABELS)
def test_values_stay_within_the_bounds(label):
    phi = activation(label)
    h, derivative = phi(np.linspace(-50, 50, 2001))
    if phi.entry.bounds is not None:
        low, high = phi.entry.bounds
        assert low <= h.min() < low + 0.01
        assert high - 0.01 < h.max() <= high
    near = np.abs(np.linspace(-50, 50, 2001)) <= 10
    assert np.abs(derivative[near]).max() <= phi.largest_derivative + 1e-9


@pytest.mark.parametrize(
    ("label", "at_zero"),
    [
        ("relu", 0),
        ("leaky_relu", 0.01),
        ("elu(alpha=2.0)", 2),
        ("selu", 1.7580993408473766),
        ("sigmoid", 0.25),
        ("tanh", 1),
        ("gelu", 0.5),
    ],
)
def test_the_derivative_at_zero(label, at_zero):
    assert activation(label)(np.zeros(1))[1][0] == pytest.approx(at_zero)


def test_selu_keeps_mean_zero_and_variance_one():
    # Klambauer et al. 2017: the fixed point that its two constants are made for.
    z = np.linspace(-12, 12, 200_001)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    h, _ = activation("selu")(z)
    assert (h * density).sum() == pytest.approx(0, abs=1e-6)
    assert (h**2 * density).sum() == pytest.approx(1, abs=1e-6)


def test_relu_halves_the_second_moment():
    z = np.random.default_rng(0).normal(size=1_000_000)
    assert (activation("relu")(z)[0] ** 2).mean() == pytest.approx(0.5, abs=0.005)
