"""Activations that have, or whose first two derivatives have, a kink or a jump.

At a kink φ' is what torch and JAX take where they agree, and torch's value where they do not: for
leaky_relu and abs at 0 and for hard_tanh at ±1 JAX takes 1. What torch does not have is 0 at the ends of a
flat piece, as relu6 is (sparse_sigmoid at ±1: JAX takes 1/4).
"""

from collections.abc import Callable

import numpy as np

from winit.network.activations.arguments import require
from winit.network.activations.entry import Entry, Pair
from winit.network.arrays import Array


def relu(z: Array) -> Pair:
    return np.maximum(z, 0), (z > 0).astype(z.dtype)


def relu6(z: Array) -> Pair:
    return np.clip(z, 0, 6), _inside(z, 0, 6)


def leaky_relu(z: Array, negative_slope: float = 0.01) -> Pair:
    derivative = np.where(z > 0, z.dtype.type(1), z.dtype.type(negative_slope))
    return z * derivative, derivative


def prelu(z: Array, alpha: float = 0.25) -> Pair:
    return leaky_relu(z, alpha)


def elu(z: Array, alpha: float = 1.0) -> Pair:
    below = np.minimum(z, 0)
    positive = z > 0
    h = np.where(positive, z, alpha * np.expm1(below))
    return h, np.where(positive, z.dtype.type(1), alpha * np.exp(below))


def celu(z: Array, alpha: float = 1.0) -> Pair:
    require(alpha > 0, "celu: alpha", alpha, "above 0")
    below = np.minimum(z, 0) / alpha
    return np.maximum(z, 0) + alpha * np.expm1(below), np.exp(below)


# Klambauer et al. 2017, eq. 14: the fixed point (mean 0, variance 1) of the map of moments.
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def selu(z: Array) -> Pair:
    h, derivative = elu(z, SELU_ALPHA)
    return h * SELU_SCALE, derivative * SELU_SCALE


def softsign(z: Array) -> Pair:
    scale = 1 + np.abs(z)
    return z / scale, np.square(1 / scale)


def sparse_plus(z: Array) -> Pair:
    derivative = np.clip(z + 1, 0, 2) * 0.5
    return np.where(z >= 1, z, derivative * derivative), derivative


def sparse_sigmoid(z: Array) -> Pair:
    return np.clip(z + 1, 0, 2) * 0.5, _inside(z, -1, 1) * 0.5


# Clipped before the division: near its ends z + 3 is exact, z / 6 + 1/2 cancels.
def hard_sigmoid(z: Array) -> Pair:
    return np.clip(z + 3, 0, 6) / 6, _inside(z, -3, 3) / 6


def hard_sigmoid_keras2(z: Array) -> Pair:
    return np.clip(z + 2.5, 0, 5) / 5, _inside(z, -2.5, 2.5) / 5


def hard_silu(z: Array) -> Pair:
    gate, slope = hard_sigmoid(z)
    return z * gate, gate + z * slope


def hard_tanh(z: Array) -> Pair:
    return np.clip(z, -1, 1), _inside(z, -1, 1)


def hard_shrink(z: Array, threshold: float = 0.5) -> Pair:
    require(threshold >= 0, "hard_shrink: threshold", threshold, "0 or above")
    derivative = _outside(z, threshold)
    return z * derivative, derivative


def soft_shrink(z: Array, threshold: float = 0.5) -> Pair:
    require(threshold >= 0, "soft_shrink: threshold", threshold, "0 or above")
    return z - np.clip(z, -threshold, threshold), _outside(z, threshold)


def threshold(z: Array, threshold: float, value: float) -> Pair:
    above = z > threshold
    return np.where(above, z, z.dtype.type(value)), above.astype(z.dtype)


def absolute(z: Array) -> Pair:
    return np.abs(z), np.sign(z)


def sign(z: Array) -> Pair:
    return np.sign(z), np.zeros_like(z)


def _inside(z: Array, low: float, high: float) -> Array:
    """1 where low < z < high, else 0."""
    return ((z > low) & (z < high)).astype(z.dtype)


def _outside(z: Array, threshold: float) -> Array:
    """1 where |z| > threshold, else 0."""
    return (np.abs(z) > threshold).astype(z.dtype)


def at(*places: float) -> Callable[..., tuple[float, ...]]:
    """Kinks at ``places``, whatever the arguments."""

    def kinks(**_: float) -> tuple[float, ...]:
        return places

    return kinks


def at_zero_unless_straight(**arguments: float) -> tuple[float, ...]:
    """The kink of a rectifier with one argument, its slope below 0; none where that is 1."""
    (slope,) = arguments.values()
    return () if slope == 1 else (0.0,)


def at_both_thresholds(threshold: float = 0.5) -> tuple[float, ...]:
    """The kinks of a shrink; none where it is the identity."""
    return (-threshold, threshold) if threshold else ()


def at_threshold(**arguments: float) -> tuple[float, ...]:
    return (arguments["threshold"],)


ENTRIES = (
    Entry(
        "relu",
        relu,
        "max(z, 0); φ'(0) = 0",
        "Nair & Hinton 2010",
        ("torch.nn.ReLU", "jax.nn.relu", "keras.activations.relu", "tensorflow.nn.relu"),
        kinks=at(0.0),
    ),
    Entry(
        "relu6",
        relu6,
        "min(max(z, 0), 6); φ'(0) = φ'(6) = 0",
        "Krizhevsky 2010",
        ("torch.nn.ReLU6", "jax.nn.relu6", "keras.activations.relu6", "tensorflow.nn.relu6"),
        bounds=(0.0, 6.0),
        kinks=at(0.0, 6.0),
    ),
    Entry(
        "leaky_relu",
        leaky_relu,
        "z where z > 0, else negative_slope · z; φ'(0) = negative_slope",
        "Maas et al. 2013",
        (
            "torch.nn.LeakyReLU",
            "jax.nn.leaky_relu",
            "keras.activations.leaky_relu (negative_slope=0.2)",
            "keras.layers.LeakyReLU (negative_slope=0.3)",
            "tensorflow.nn.leaky_relu (alpha=negative_slope, negative_slope=0.2)",
        ),
        kinks=at_zero_unless_straight,
    ),
    Entry(
        "prelu",
        prelu,
        "z where z > 0, else alpha · z, alpha as it is before training; φ'(0) = alpha",
        "He et al. 2015",
        ("torch.nn.PReLU (init=alpha)", "keras.layers.PReLU (alpha=0.0)"),
        kinks=at_zero_unless_straight,
    ),
    Entry(
        "elu",
        elu,
        "z where z > 0, else alpha (eᶻ − 1); φ'(0) = alpha",
        "Clevert et al. 2016",
        ("torch.nn.ELU", "jax.nn.elu", "keras.activations.elu", "tensorflow.nn.elu"),
        kinks=at(0.0),
    ),
    Entry(
        "celu",
        celu,
        "z where z > 0, else alpha (e^(z/alpha) − 1); φ'(0) = 1, φ'' jumps",
        "Barron 2017",
        ("torch.nn.CELU", "jax.nn.celu", "keras.activations.celu"),
        kinks=at(0.0),
    ),
    Entry(
        "selu",
        selu,
        "1.0507 · elu(z, alpha=1.6733); φ'(0) = 1.7581",
        "Klambauer et al. 2017, eq. 2 and 14",
        ("torch.nn.SELU", "jax.nn.selu", "keras.activations.selu", "tensorflow.nn.selu"),
        kinks=at(0.0),
    ),
    Entry(
        "softsign",
        softsign,
        "z / (1 + |z|); φ'(0) = 1, φ'' jumps",
        "Bergstra et al. 2009",
        ("torch.nn.Softsign", "jax.nn.soft_sign", "keras.activations.softsign", "tensorflow.nn.softsign"),
        bounds=(-1.0, 1.0),
        kinks=at(0.0),
        aliases=("soft_sign",),
    ),
    Entry(
        "sparse_plus",
        sparse_plus,
        "0 where z ≤ −1, z where z ≥ 1, (z + 1)²/4 between; φ'(−1) = 0, φ'(1) = 1, φ'' jumps",
        "JAX",
        ("jax.nn.sparse_plus", "keras.activations.sparse_plus"),
        kinks=at(-1.0, 1.0),
    ),
    Entry(
        "sparse_sigmoid",
        sparse_sigmoid,
        "min(max((z + 1)/2, 0), 1); φ'(±1) = 0",
        "Blondel et al. 2019, §6.2",
        ("jax.nn.sparse_sigmoid", "keras.activations.sparse_sigmoid"),
        bounds=(0.0, 1.0),
        kinks=at(-1.0, 1.0),
    ),
    Entry(
        "hard_sigmoid",
        hard_sigmoid,
        "min(max(z + 3, 0), 6) / 6; φ'(±3) = 0",
        "Howard et al. 2019",
        ("torch.nn.Hardsigmoid", "jax.nn.hard_sigmoid", "keras.activations.hard_sigmoid"),
        bounds=(0.0, 1.0),
        kinks=at(-3.0, 3.0),
        aliases=("hardsigmoid",),
    ),
    Entry(
        "hard_sigmoid_keras2",
        hard_sigmoid_keras2,
        "min(max(z/5 + 1/2, 0), 1); φ'(±2.5) = 0",
        "Keras 2",
        ("keras.activations.hard_sigmoid (before Keras 3)",),
        bounds=(0.0, 1.0),
        kinks=at(-2.5, 2.5),
    ),
    Entry(
        "hard_silu",
        hard_silu,
        "z min(max(z + 3, 0), 6) / 6; φ'(−3) = 0, φ'(3) = 1",
        "Howard et al. 2019",
        (
            "torch.nn.Hardswish",
            "jax.nn.hard_silu",
            "jax.nn.hard_swish",
            "keras.activations.hard_silu",
            "keras.activations.hard_swish",
        ),
        kinks=at(-3.0, 3.0),
        aliases=("hard_swish", "hardswish"),
    ),
    Entry(
        "hard_tanh",
        hard_tanh,
        "min(max(z, −1), 1); φ'(±1) = 0",
        "Collobert 2004",
        ("torch.nn.Hardtanh", "jax.nn.hard_tanh", "keras.activations.hard_tanh"),
        bounds=(-1.0, 1.0),
        kinks=at(-1.0, 1.0),
        aliases=("hardtanh",),
    ),
    Entry(
        "hard_shrink",
        hard_shrink,
        "z where |z| > threshold, else 0; φ'(±threshold) = 0",
        "Donoho & Johnstone 1994",
        ("torch.nn.Hardshrink (lambd=threshold)", "keras.activations.hard_shrink"),
        kinks=at_both_thresholds,
        aliases=("hardshrink",),
    ),
    Entry(
        "soft_shrink",
        soft_shrink,
        "sign(z) max(|z| − threshold, 0); φ'(±threshold) = 0",
        "Donoho & Johnstone 1994",
        ("torch.nn.Softshrink (lambd=threshold)", "keras.activations.soft_shrink"),
        kinks=at_both_thresholds,
        aliases=("softshrink",),
    ),
    Entry(
        "threshold",
        threshold,
        "z where z > threshold, else value; φ'(threshold) = 0",
        "torch",
        ("torch.nn.Threshold", "keras.activations.threshold (default_value=value)"),
        kinks=at_threshold,
        example="threshold(threshold=0.0, value=0.5)",
    ),
    Entry(
        "abs",
        absolute,
        "|z|; φ'(0) = 0",
        "elementary",
        ("torch.abs", "jax.numpy.abs", "keras.ops.abs", "tensorflow.math.abs"),
        kinks=at(0.0),
    ),
    Entry(
        "sign",
        sign,
        "−1, 0 or 1; φ'(0) = 0, as elsewhere",
        "elementary",
        ("torch.sign", "jax.numpy.sign", "keras.ops.sign", "tensorflow.math.sign"),
        bounds=(-1.0, 1.0),
        kinks=at(0.0),
    ),
)
