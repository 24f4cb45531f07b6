"""The catalogue of initializers: law, moments, shape of the distribution."""

import numpy as np
import pytest
from scipy import stats

from winit.network.activations import activation
from winit.network.draws import TRUNCATED_NORMAL_STD, Draws
from winit.network.initializers import INITIALIZERS, Layer, initializer

LABELS = [entry.label for entry in INITIALIZERS.values()]
SHAPE = (400, 600)
VARIANCES = {
    "normal(std=0.01)": 1e-4,
    "uniform(low=-0.05, high=0.05)": 0.1**2 / 12,
    "variance_scaling": 1 / 400,
    "lecun_normal": 1 / 400,
    "lecun_uniform": 1 / 400,
    "glorot_normal": 2 / 1000,
    "glorot_uniform": 2 / 1000,
    "he_normal": 2 / 400,
    "he_uniform": 2 / 400,
    "variance_scaling(scale=3.0, mode=fan_out)": 3 / 600,
    "variance_scaling(mode=fan_geo_avg)": 1 / np.sqrt(400 * 600),
    "variance_scaling(distribution=truncated_normal)": 1 / 400,
}


def layer(shape=SHAPE, dtype="float32", seed=0, index=1):
    return Layer(*shape, index, 3, activation("relu"), Draws(seed), np.dtype(dtype))


def weights(label, **kwargs):
    return initializer(label).weights(layer(**kwargs))


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (1, 1)])
def test_weights_have_the_layers_shape_and_dtype_and_are_finite(label, dtype, shape):
    drawn = weights(label, shape=shape, dtype=dtype)
    assert drawn.shape == shape
    assert drawn.dtype == dtype
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize(("label", "variance"), VARIANCES.items())
def test_the_variance_is_that_of_the_formula(label, variance):
    law = initializer(label).law(layer())
    assert law.std**2 == pytest.approx(variance)
    drawn = weights(label).astype(np.float64)
    assert drawn.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.015)


@pytest.mark.parametrize(
    ("label", "distribution"),
    [
        ("he_normal", stats.norm()),
        ("he_uniform", stats.uniform(-np.sqrt(3), 2 * np.sqrt(3))),
        (
            "variance_scaling(distribution=truncated_normal)",
            stats.truncnorm(-2, 2, scale=1 / TRUNCATED_NORMAL_STD),
        ),
    ],
)
def test_the_shape_of_the_distribution(label, distribution):
    drawn = weights(label).ravel().astype(np.float64)
    std = initializer(label).law(layer()).std
    assert stats.kstest(drawn / std, distribution.cdf).pvalue > 1e-3


def test_a_uniform_law_stays_between_its_ends():
    drawn = weights("uniform(low=2, high=5)")
    assert drawn.min() == pytest.approx(2, abs=1e-3)
    assert drawn.max() == pytest.approx(5, abs=1e-3)


@pytest.mark.parametrize(("label", "value"), [("zeros", 0), ("ones", 1), ("constant(-0.25)", -0.25)])
def test_constants_are_exact(label, value):
    assert (weights(label) == value).all()


def test_a_normal_has_its_mean():
    assert weights("normal(std=0.5, mean=3)").mean() == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("shape", [(40, 40), (60, 40), (40, 60)])
def test_an_orthogonal_matrix_is_orthogonal_on_its_shorter_side(shape):
    w = weights("orthogonal(gain=2)", shape=shape, dtype="float64")
    gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
    assert gram == pytest.approx(4 * np.eye(min(shape)), abs=1e-12)


def test_the_doubled_weights_of_lecun_are_not_those_of_he():
    doubled, lecun, he = (
        weights(label) for label in ("variance_scaling(scale=4.0)", "lecun_normal", "he_normal")
    )
    assert doubled == pytest.approx(2 * lecun)
    assert he == pytest.approx(np.sqrt(2) * lecun, rel=1e-6)


def test_a_float64_network_has_the_weights_of_the_float32_one():
    assert weights("he_normal", dtype="float64") == pytest.approx(weights("he_normal"), rel=1e-6)


def test_the_readouts_of_all_depths_are_one_draw():
    def readout(depth):
        made = Layer(20, 5, depth + 1, depth, activation("relu"), Draws(0), np.dtype("float32"))
        return initializer("he_normal").weights(made)

    assert (readout(2) == readout(9)).all()
