"""Activations whose derivatives have no jump."""

import math

import numpy as np

from winit.network.activations.arguments import require
from winit.network.activations.entry import Entry, Pair
from winit.network.arrays import Array


def identity(z: Array) -> Pair:
    return z.copy(), np.ones_like(z)


def sigmoid(z: Array) -> Pair:
    # e^-|z| never overflows, and keeps the small tail relative-accurate on both sides.
    tail = np.abs(z)
    np.negative(tail, out=tail)
    np.exp(tail, out=tail)
    larger = 1 + tail
    np.reciprocal(larger, out=larger)
    smaller = np.multiply(tail, larger, out=tail)
    return _larger_or_smaller(z, larger), larger * smaller


def _larger_or_smaller(z: Array, larger: Array) -> Array:
    """σ(z), given the larger of σ(z) and σ(−z): that one where z ≥ 0, else eᶻ times it."""
    # numpy.where takes longer than this second exponential.
    h = np.minimum(z, 0)
    np.exp(h, out=h)
    return np.multiply(h, larger, out=h)


def log_sigmoid(z: Array) -> Pair:
    tail = np.exp(-np.abs(z))
    return np.minimum(z, 0) - np.log1p(tail), _larger_or_smaller(-z, 1 / (1 + tail))


def softplus(z: Array, beta: float = 1.0) -> Pair:
    require(beta > 0, "softplus: beta", beta, "above 0")
    scaled = beta * z
    tail = np.exp(-np.abs(scaled))
    # z itself, not scaled / beta, since scaled may overflow.
    return np.maximum(z, 0) + np.log1p(tail) / beta, _larger_or_smaller(scaled, 1 / (1 + tail))


def squareplus(z: Array, b: float = 4.0) -> Pair:
    require(b > 0, "squareplus: b", b, "above 0")
    half, offset = 0.5 * z, 0.5 * math.sqrt(b)
    # hypot, since z² may overflow. Of the solutions of h (h − z) = b / 4 the smaller one cancels, so
    # that it comes from the larger.
    root = np.hypot(half, offset)
    larger = np.abs(half) + root
    h = np.where(z >= 0, larger, offset * (offset / larger))
    return h, 0.5 * (h / root)


def tanh(z: Array) -> Pair:
    h = np.tanh(z)
    # From the output, as the frameworks do: where tanh rounds to ±1 a real network's gradient is 0.
    derivative = h * h
    np.subtract(1, derivative, out=derivative)
    return h, derivative


# LeCun et al. 1998, §4.4: so that φ(±1) = ±1 and |φ''| is largest there.
LECUN_SCALE, LECUN_SLOPE = 1.7159, 2 / 3


def lecun_tanh(z: Array) -> Pair:
    h, derivative = tanh(LECUN_SLOPE * z)
    return LECUN_SCALE * h, (LECUN_SCALE * LECUN_SLOPE) * derivative


def tanh_shrink(z: Array) -> Pair:
    h = np.tanh(z)
    return np.where(np.abs(z) < 1, _small_tanh_shrink(z), z - h), h * h


def _small_tanh_shrink(z: Array) -> Array:
    """z − tanh z for |z| < 1, without the difference.

    From Lambert's continued fraction tanh z = z / (1 + z²/(3 + z²/(5 + …))), whose terms are positive;
    cut behind 19 its relative error is below 1e-18.
    """
    square = np.minimum(z * z, 1)
    fraction = np.full_like(z, 19)
    for odd in (17, 15, 13, 11, 9, 7, 5, 3):
        fraction = odd + square / fraction
    excess = square / fraction
    return z * (excess / (1 + excess))


def gelu(z: Array) -> Pair:
    from scipy.special import ndtr

    probability = ndtr(z)
    density = np.exp(-0.5 * np.square(z)) * (1 / math.sqrt(2 * math.pi))
    return z * probability, probability + z * density


# Hendrycks & Gimpel 2016, §2.
GELU_SCALE, GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715


def gelu_tanh(z: Array) -> Pair:
    # ½ (1 + tanh u) is sigmoid(2u), whose small tail does not cancel. Beyond |z| = 100 that is 0 or 1
    # in float64 too, however large u is: with its square cut there, z³ cannot overflow.
    square = np.minimum(np.square(z), 100.0**2)
    gate, slope = sigmoid((2 * GELU_SCALE) * z * (1 + GELU_CUBIC * square))
    return z * gate, gate + z * slope * (2 * GELU_SCALE) * (1 + (3 * GELU_CUBIC) * square)


def silu(z: Array) -> Pair:
    gate, slope = sigmoid(z)
    return z * gate, gate + z * slope


def mish(z: Array) -> Pair:
    # tanh(log(1 + eᶻ)) is n / (n + 2) with n = eᶻ (eᶻ + 2), which does not cancel. Beyond z = 40 it is 1
    # in float64 too: cut there, n is finite in float32.
    cut = np.minimum(z, 40)
    power = np.exp(cut)
    n = power * (power + 2)
    inverse = 1 / (n + 2)
    gate = n * inverse
    slope = 4 * power * (1 + power) * inverse * inverse
    return z * gate, gate + cut * slope


def exponential(z: Array) -> Pair:
    h = np.exp(z)
    return h, h.copy()


def erf(z: Array) -> Pair:
    from scipy.special import erf as error_function

    return error_function(z), np.exp(-np.square(z)) * (2 / math.sqrt(math.pi))


def sine(z: Array, omega: float = 1.0) -> Pair:
    require(omega != 0, "sin: omega", omega, "other than 0")
    angle = omega * z
    return np.sin(angle), omega * np.cos(angle)


def cosine(z: Array, omega: float = 1.0) -> Pair:
    require(omega != 0, "cos: omega", omega, "other than 0")
    angle = omega * z
    return np.cos(angle), -omega * np.sin(angle)


def turn(omega: float = 1.0) -> float | None:
    """The period of sin(omega z) and cos(omega z); None where it is beyond all numbers."""
    require(omega != 0, "omega", omega, "other than 0")
    period = 2 * math.pi / abs(omega)
    return period if period < math.inf else None


ENTRIES = (
    Entry(
        "identity",
        identity,
        "z",
        "elementary",
        ("torch.nn.Identity", "jax.nn.identity", "keras.activations.linear", "tensorflow.identity"),
        aliases=("linear",),
    ),
    Entry(
        "sigmoid",
        sigmoid,
        "1 / (1 + e⁻ᶻ)",
        "elementary",
        ("torch.nn.Sigmoid", "jax.nn.sigmoid", "keras.activations.sigmoid", "tensorflow.nn.sigmoid"),
        bounds=(0.0, 1.0),
    ),
    Entry(
        "log_sigmoid",
        log_sigmoid,
        "−log(1 + e⁻ᶻ)",
        "elementary",
        (
            "torch.nn.LogSigmoid",
            "jax.nn.log_sigmoid",
            "keras.activations.log_sigmoid",
            "tensorflow.math.log_sigmoid",
        ),
        aliases=("logsigmoid",),
    ),
    Entry(
        "softplus",
        softplus,
        "log(1 + e^(beta z)) / beta",
        "Dugas et al. 2001",
        (
            "torch.nn.Softplus (z itself where beta z > 20, less by under 2.1e-9 / beta)",
            "jax.nn.softplus",
            "keras.activations.softplus",
            "tensorflow.nn.softplus",
        ),
    ),
    Entry(
        "squareplus",
        squareplus,
        "(z + √(z² + b)) / 2",
        "Barron 2021",
        ("jax.nn.squareplus", "keras.activations.squareplus"),
    ),
    Entry(
        "tanh",
        tanh,
        "tanh z",
        "elementary",
        ("torch.nn.Tanh", "jax.nn.tanh", "keras.activations.tanh", "tensorflow.nn.tanh"),
        bounds=(-1.0, 1.0),
    ),
    Entry(
        "lecun_tanh",
        lecun_tanh,
        "1.7159 tanh(2z/3)",
        "LeCun et al. 1998, §4.4",
        bounds=(-LECUN_SCALE, LECUN_SCALE),
    ),
    Entry(
        "tanh_shrink",
        tanh_shrink,
        "z − tanh z",
        "torch",
        ("torch.nn.Tanhshrink", "keras.activations.tanh_shrink"),
        aliases=("tanhshrink",),
    ),
    Entry(
        "gelu",
        gelu,
        "z Φ(z), exact",
        "Hendrycks & Gimpel 2016",
        ("torch.nn.GELU", "jax.nn.gelu (approximate=False)", "keras.activations.gelu", "tensorflow.nn.gelu"),
    ),
    Entry(
        "gelu_tanh",
        gelu_tanh,
        "z/2 (1 + tanh(√(2/π) (z + 0.044715 z³)))",
        "Hendrycks & Gimpel 2016, §2",
        (
            "torch.nn.GELU (approximate='tanh')",
            "jax.nn.gelu",
            "keras.activations.gelu (approximate=True)",
            "tensorflow.nn.gelu (approximate=True)",
        ),
    ),
    Entry(
        "silu",
        silu,
        "z / (1 + e⁻ᶻ)",
        "Elfwing et al. 2018; swish of Ramachandran 2017",
        (
            "torch.nn.SiLU",
            "jax.nn.silu",
            "jax.nn.swish",
            "keras.activations.silu",
            "keras.activations.swish",
            "tensorflow.nn.silu",
            "tensorflow.nn.swish",
        ),
        aliases=("swish",),
    ),
    Entry(
        "mish",
        mish,
        "z tanh(log(1 + eᶻ))",
        "Misra 2019",
        ("torch.nn.Mish", "jax.nn.mish", "keras.activations.mish"),
    ),
    Entry(
        "exponential",
        exponential,
        "eᶻ",
        "elementary",
        ("torch.exp", "jax.numpy.exp", "keras.activations.exponential", "tensorflow.math.exp"),
    ),
    Entry(
        "erf",
        erf,
        "2/√π ∫₀ᶻ exp(−t²) dt",
        "elementary",
        ("torch.erf", "jax.scipy.special.erf", "keras.ops.erf", "tensorflow.math.erf"),
        bounds=(-1.0, 1.0),
    ),
    Entry(
        "sin",
        sine,
        "sin(omega z)",
        "Sitzmann et al. 2020, with omega = 30",
        ("torch.sin", "jax.numpy.sin", "keras.ops.sin", "tensorflow.math.sin"),
        bounds=(-1.0, 1.0),
        period=turn,
    ),
    Entry(
        "cos",
        cosine,
        "cos(omega z)",
        "elementary",
        ("torch.cos", "jax.numpy.cos", "keras.ops.cos", "tensorflow.math.cos"),
        bounds=(-1.0, 1.0),
        period=turn,
    ),
)
