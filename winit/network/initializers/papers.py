"""Initializers of the papers, and plain distributions. Normal means normal here: nothing is truncated."""

import math
from typing import Literal

import numpy as np

from winit.network.initializers.entry import Entry, Law, Layer, WithBias, at_least_zero
from winit.network.labels import LabelError
from winit.network.meanfield import CriticalityError, critical_sigma_w

Mode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Shape = Literal["normal", "truncated_normal", "uniform"]


def zeros(layer: Layer) -> Law:
    return Law("constant", mean=0.0)


def ones(layer: Layer) -> Law:
    return Law("constant", mean=1.0)


def constant(layer: Layer, value: float) -> Law:
    return Law("constant", mean=value)


def normal(layer: Layer, std: float, mean: float = 0.0) -> Law:
    return Law("normal", std=at_least_zero("std", std), mean=mean)


def uniform(layer: Layer, low: float, high: float) -> Law:
    if high < low:
        raise LabelError(f"high is {high}, below low, which is {low}")
    return Law("uniform", std=(high - low) / math.sqrt(12), mean=(low + high) / 2)


def truncated_normal(layer: Layer, std: float) -> Law:
    return Law("truncated_normal", std=at_least_zero("std", std))


def variance_scaling(
    layer: Layer, scale: float = 1.0, mode: Mode = "fan_in", distribution: Shape = "normal"
) -> Law:
    n_in, n_out = layer.shape
    fan = {
        "fan_in": n_in,
        "fan_out": n_out,
        "fan_avg": (n_in + n_out) / 2,
        "fan_geo_avg": math.sqrt(n_in * n_out),
    }[mode]
    return Law(distribution, std=math.sqrt(at_least_zero("scale", scale) / fan))


def lecun_normal(layer: Layer) -> Law:
    return variance_scaling(layer, 1.0, "fan_in", "normal")


def lecun_uniform(layer: Layer) -> Law:
    return variance_scaling(layer, 1.0, "fan_in", "uniform")


def glorot_normal(layer: Layer) -> Law:
    return variance_scaling(layer, 1.0, "fan_avg", "normal")


def glorot_uniform(layer: Layer) -> Law:
    return variance_scaling(layer, 1.0, "fan_avg", "uniform")


def he_normal(layer: Layer) -> Law:
    return variance_scaling(layer, 2.0, "fan_in", "normal")


def he_uniform(layer: Layer) -> Law:
    return variance_scaling(layer, 2.0, "fan_in", "uniform")


def mean_field(layer: Layer, sigma_w: float, sigma_b: float = 0.0) -> WithBias:
    std = at_least_zero("sigma_w", sigma_w) / math.sqrt(layer.fan_in)
    return WithBias(Law("normal", std), Law("normal", at_least_zero("sigma_b", sigma_b)))


def critical(layer: Layer) -> Law:
    try:
        return Law("normal", critical_sigma_w(layer.activation) / math.sqrt(layer.fan_in))
    except CriticalityError as error:
        raise LabelError(str(error)) from None


def kumar(layer: Layer) -> Law:
    if layer.activation.label == "relu":
        return he_normal(layer)
    nearly = 1e-4
    h, slope = layer.activation(np.array([-nearly, 0.0, nearly]))
    if not slope[1] or abs(slope[2] - slope[0]) > 0.01 * abs(slope[1]):
        raise LabelError(
            "it needs relu or an activation with a derivative at 0 that is not 0, which"
            f" {layer.activation.label} has not"
        )
    return Law("normal", 1 / math.sqrt(layer.fan_in * slope[1] ** 2 * (1 + h[1] ** 2)))


def random_walk(layer: Layer) -> Law:
    n = layer.fan_in
    gains = {
        "identity": math.exp(1 / (2 * n)),
        "relu": math.sqrt(2) * math.exp(1.2 / (max(n, 6) - 2.4)),
        "tanh": 1.13,
    }
    gain = gains.get(layer.activation.label)
    if gain is None:
        raise LabelError(
            f"there is no gain for {layer.activation.label} (there is one for: {', '.join(gains)})"
        )
    return Law("normal", gain / math.sqrt(n))


def siren(layer: Layer, omega: float = 30.0) -> Law:
    if not omega > 0:
        raise LabelError(f"omega is {omega}; it must be above 0")
    bound = 1 / layer.fan_in if layer.index == 1 else math.sqrt(6 / layer.fan_in) / omega
    return Law("uniform", bound / math.sqrt(3))


def mup(layer: Layer, scale: float = 1.0) -> Law:
    fan = layer.fan_in**2 if layer.is_readout else layer.fan_in
    return Law("normal", math.sqrt(at_least_zero("scale", scale) / fan))


_LECUN = 'LeCun et al. 1998, "Efficient BackProp", §4.6'
_GLOROT = (
    'Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks",'
    " eq. 16"
)
_HE = 'He et al. 2015, "Delving deep into rectifiers", eq. 10'


def _found(keras: str, jax: str, torch: str = "") -> tuple[str, ...]:
    """Where exactly the same is found."""
    names = (f"keras.initializers.{keras}", f"jax.nn.initializers.{jax}")
    return (*names, f"torch.nn.init.{torch}") if torch else names


ENTRIES = (
    Entry("zeros", zeros, "W = 0", "elementary", _found("Zeros", "zeros", "zeros_")),
    Entry("ones", ones, "W = 1", "elementary", _found("Ones", "ones", "ones_")),
    Entry("constant", constant, "W = value", "elementary", example="constant(value=0.1)"),
    Entry("normal", normal, "N(mean, std²)", "elementary", example="normal(std=0.01)"),
    Entry("uniform", uniform, "U(low, high)", "elementary", example="uniform(low=-0.05, high=0.05)"),
    Entry(
        "truncated_normal",
        truncated_normal,
        "normal, cut at ±2.27 std, so that std is the true one",
        "elementary",
        example="truncated_normal(std=0.05)",
    ),
    Entry(
        "variance_scaling",
        variance_scaling,
        "mean 0, variance scale / n; n from mode: fan_in, fan_out, their mean, their geometric mean",
        "the general law of jax.nn.initializers and Keras; here 'normal' is not truncated",
    ),
    Entry("lecun_normal", lecun_normal, "N(0, 1 / fan_in)", _LECUN),
    Entry(
        "lecun_uniform", lecun_uniform, "U(±√(3 / fan_in))", _LECUN, _found("LecunUniform", "lecun_uniform")
    ),
    Entry(
        "glorot_normal", glorot_normal, "N(0, 2 / (fan_in + fan_out))", _GLOROT, aliases=("xavier_normal",)
    ),
    Entry(
        "glorot_uniform",
        glorot_uniform,
        "U(±√(6 / (fan_in + fan_out)))",
        _GLOROT,
        _found("GlorotUniform", "glorot_uniform"),
        ("xavier_uniform",),
    ),
    Entry("he_normal", he_normal, "N(0, 2 / fan_in)", _HE, aliases=("kaiming_normal",)),
    Entry(
        "he_uniform",
        he_uniform,
        "U(±√(6 / fan_in))",
        _HE,
        _found("HeUniform", "he_uniform"),
        ("kaiming_uniform",),
    ),
    Entry(
        "mean_field",
        mean_field,
        "W ~ N(0, sigma_w² / fan_in), b ~ N(0, sigma_b²)",
        'Poole et al. 2016, "Exponential expressivity in deep neural networks"',
        example="mean_field(sigma_w=1.5, sigma_b=0.3)",
    ),
    Entry(
        "critical",
        critical,
        "N(0, σ² / fan_in), σ the critical gain of the cell's activation: χ₁ = 1 with σ_b = 0",
        'Schoenholz et al. 2017, "Deep information propagation"',
    ),
    Entry(
        "kumar",
        kumar,
        "N(0, 1 / (fan_in φ'(0)² (1 + φ(0)²))), φ the cell's activation; relu: N(0, 2 / fan_in)",
        'Kumar 2017, "On weight initialization in deep neural networks"',
    ),
    Entry(
        "random_walk",
        random_walk,
        "N(0, g² / n), n = fan_in; identity: g = exp(1 / 2n); relu: g = √2 exp(1.2 / (max(n, 6) − 2.4));"
        " tanh: g = 1.13, TensorFlow 1's value within the paper's 1.1 … 1.3",
        'Sussillo & Abbott 2014, "Random walk initialization for training very deep feedforward networks"',
    ),
    Entry(
        "siren",
        siren,
        "first layer U(±1 / fan_in), others U(±√(6 / fan_in) / omega); meant for sin(omega); the authors'"
        " code leaves biases at those of torch.linear",
        'Sitzmann et al. 2020, "Implicit neural representations with periodic activation functions"',
    ),
    Entry(
        "mup",
        mup,
        "N(0, scale / fan_in), the readout N(0, scale / fan_in²)",
        'Yang et al. 2022, "Tensor Programs V", table 3; in its table 8 a multiplier does the same',
    ),
)
