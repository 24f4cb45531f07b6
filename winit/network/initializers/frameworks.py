"""The initializers of the frameworks, to the letter: their truncation, correction, gains and defaults.

Functions say what a framework's arguments mean; the entries below give them the framework's names. A
layer's own bias law is part of those that are layers (``torch.linear``, ``sklearn.mlp``, …).
"""

import math
from collections.abc import Callable
from typing import Literal

from winit.network.arrays import Array
from winit.network.draws import TRUNCATED_NORMAL_STD, Truncated
from winit.network.initializers import matrices, papers
from winit.network.initializers.entry import Entry, Law, Layer, Made, WithBias, at_least_zero
from winit.network.labels import LabelError

Nonlinearity = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu", "activation"]
_NO_BIAS = Law("constant")


# Keras and JAX: "normal" variants are truncated at ±2 standard deviations before the cut, and corrected.


def lecun_normal(layer: Layer) -> Law:
    return papers.variance_scaling(layer, 1.0, "fan_in", "truncated_normal")


def glorot_normal(layer: Layer) -> Law:
    return papers.variance_scaling(layer, 1.0, "fan_avg", "truncated_normal")


def he_normal(layer: Layer) -> Law:
    return papers.variance_scaling(layer, 2.0, "fan_in", "truncated_normal")


def keras_random_normal(layer: Layer, mean: float = 0.0, stddev: float = 0.05) -> Law:
    return Law("normal", at_least_zero("stddev", stddev), mean)


def keras_random_uniform(layer: Layer, minval: float = -0.05, maxval: float = 0.05) -> Law:
    return papers.uniform(layer, minval, maxval)


def keras_truncated_normal(layer: Layer, mean: float = 0.0, stddev: float = 0.05) -> Law:
    return Law("truncated_normal", at_least_zero("stddev", stddev) * TRUNCATED_NORMAL_STD, mean)


def keras_variance_scaling(
    layer: Layer,
    scale: float = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["normal", "truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal",
) -> Law:
    shape: papers.Shape = "uniform" if distribution == "uniform" else "truncated_normal"
    if distribution == "untruncated_normal":
        shape = "normal"
    return papers.variance_scaling(layer, _above_zero("scale", scale), mode, shape)


def keras_constant(layer: Layer, value: float = 0.0) -> Law:
    return Law("constant", mean=value)


def jax_normal(layer: Layer, stddev: float = 0.01) -> Law:
    return Law("normal", at_least_zero("stddev", stddev))


def jax_uniform(layer: Layer, scale: float = 0.01) -> Law:
    return papers.uniform(layer, 0.0, scale)


def jax_truncated_normal(layer: Layer, stddev: float = 0.01, lower: float = -2.0, upper: float = 2.0) -> Law:
    return cut_normal(0.0, at_least_zero("stddev", stddev), lower, upper)


def jax_variance_scaling(layer: Layer, scale: float, mode: papers.Mode, distribution: papers.Shape) -> Law:
    return papers.variance_scaling(layer, scale, mode, distribution)


def jax_orthogonal(layer: Layer, scale: float = 1.0) -> Array:
    return matrices.orthogonal(layer, scale)


def torch_uniform(layer: Layer, a: float = 0.0, b: float = 1.0) -> Law:
    return papers.uniform(layer, a, b)


def torch_normal(layer: Layer, mean: float = 0.0, std: float = 1.0) -> Law:
    return Law("normal", at_least_zero("std", std), mean)


def torch_trunc_normal(
    layer: Layer, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Law:
    if not std > 0:
        raise LabelError(f"std is {std}; it must be above 0")
    return cut_normal(mean, std, (a - mean) / std, (b - mean) / std)


def torch_constant(layer: Layer, val: float) -> Law:
    return Law("constant", mean=val)


def torch_eye(layer: Layer) -> Array:
    return matrices.identity(layer)


def torch_xavier_normal(layer: Layer, gain: float | Literal["activation"] = 1.0) -> Law:
    return Law("normal", _xavier_std(layer, gain))


def torch_xavier_uniform(layer: Layer, gain: float | Literal["activation"] = 1.0) -> Law:
    return Law("uniform", _xavier_std(layer, gain))


def torch_kaiming_normal(
    layer: Layer,
    a: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: Nonlinearity = "leaky_relu",
) -> Law:
    return Law("normal", _kaiming_std(layer, a, mode, nonlinearity))


def torch_kaiming_uniform(
    layer: Layer,
    a: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: Nonlinearity = "leaky_relu",
) -> Law:
    return Law("uniform", _kaiming_std(layer, a, mode, nonlinearity))


def torch_sparse(layer: Layer, sparsity: float, std: float = 0.01) -> Array:
    # torch's columns are inputs: its weights have shape (fan_out, fan_in).
    if not 0 <= sparsity <= 1:
        raise LabelError(f"sparsity is {sparsity}; it must be from 0 to 1")
    links = layer.fan_out - math.ceil(sparsity * layer.fan_out)
    return matrices.sparse_normal(layer, links, std, axis=1)


def torch_linear(layer: Layer) -> WithBias:
    std = 1 / math.sqrt(3 * layer.fan_in)
    return WithBias(Law("uniform", std), Law("uniform", std))


def flax_dense(layer: Layer) -> WithBias:
    return WithBias(lecun_normal(layer), _NO_BIAS)


def haiku_linear(layer: Layer) -> WithBias:
    std = TRUNCATED_NORMAL_STD / math.sqrt(layer.fan_in)
    return WithBias(Law("truncated_normal", std), _NO_BIAS)


def sklearn_mlp(layer: Layer) -> WithBias:
    factor = 2 if layer.activation.label == "sigmoid" else 6
    law = Law("uniform", math.sqrt(factor / 3 / (layer.fan_in + layer.fan_out)))
    return WithBias(law, law)


def cut_normal(mean: float, std: float, low: float, high: float) -> Law:
    """N(mean, std²) cut off at ``mean + low * std`` and ``mean + high * std``, not corrected."""
    if not low < high:
        raise LabelError(
            f"the normal is cut at {low:g} and {high:g} standard deviations, the wrong way round"
        )
    if (low, high) == (-2.0, 2.0):  # the same stream as all others that are cut so
        return Law("truncated_normal", std * TRUNCATED_NORMAL_STD, mean)
    cut = Truncated(low, high)
    if not cut.share > 0:
        raise LabelError(f"nothing is left of a normal between {low:g} and {high:g} standard deviations")
    shift, shrink = cut.moments
    return Law(cut, std * shrink, mean + std * shift)


def torch_gain(nonlinearity: Nonlinearity, a: float, layer: Layer) -> float:
    """torch.nn.init.calculate_gain; ``activation`` asks for that of the cell's activation."""
    if nonlinearity == "activation":
        name, slope = layer.activation.entry.name, dict(layer.activation.arguments).get("negative_slope")
        name = {"identity": "linear"}.get(name, name)
        a = a if slope is None else float(slope)
    else:
        name = nonlinearity
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + a**2)),
        "selu": 3 / 4,
    }
    if name not in gains:
        raise LabelError(f"torch has no gain for {name} (it has one for: {', '.join(gains)}); give a number")
    return gains[name]


def _xavier_std(layer: Layer, gain: float | Literal["activation"]) -> float:
    factor = torch_gain(gain, 0.01, layer) if isinstance(gain, str) else at_least_zero("gain", gain)
    return factor * math.sqrt(2 / (layer.fan_in + layer.fan_out))


def _kaiming_std(
    layer: Layer, a: float, mode: Literal["fan_in", "fan_out"], nonlinearity: Nonlinearity
) -> float:
    fan = layer.fan_in if mode == "fan_in" else layer.fan_out
    return torch_gain(nonlinearity, a, layer) / math.sqrt(fan)


def _above_zero(name: str, value: float) -> float:
    if not value > 0:
        raise LabelError(f"{name} is {value}; it must be above 0")
    return value


_CUT = "cut at ±2 standard deviations before the cut"

# Keras and JAX have these in common; the classes of Keras are named as below, without underscores.
_COMMON = {
    "lecun_normal": (lecun_normal, f"mean 0, variance 1 / fan_in; normal {_CUT}, corrected"),
    "lecun_uniform": (papers.lecun_uniform, "U(±√(3 / fan_in))"),
    "glorot_normal": (glorot_normal, f"mean 0, variance 2 / (fan_in + fan_out); normal {_CUT}, corrected"),
    "glorot_uniform": (papers.glorot_uniform, "U(±√(6 / (fan_in + fan_out)))"),
    "he_normal": (he_normal, f"mean 0, variance 2 / fan_in; normal {_CUT}, corrected"),
    "he_uniform": (papers.he_uniform, "U(±√(6 / fan_in))"),
    "zeros": (papers.zeros, "W = 0"),
    "ones": (papers.ones, "W = 1"),
}
_JAX_ALIASES = {"glorot": "xavier", "he": "kaiming"}


def _keras(name: str, function: Callable[..., Made], formula: str, class_: str = "") -> Entry:
    class_ = class_ or "".join(part.capitalize() for part in name.split("_"))
    return Entry(f"keras.{name}", function, formula, "Keras 3", (f"keras.initializers.{class_}",))


def _jax(name: str, function: Callable[..., Made], formula: str, example: str = "") -> Entry:
    head, _, tail = name.partition("_")
    aliases = (f"jax.{_JAX_ALIASES[head]}_{tail}",) if head in _JAX_ALIASES else ()
    where = tuple(f"jax.nn.initializers.{known}" for known in (name, *(a[4:] for a in aliases)))
    return Entry(f"jax.{name}", function, formula, "JAX", where, aliases, example)


def _torch(name: str, function: Callable[..., Made], formula: str, example: str = "") -> Entry:
    return Entry(f"torch.{name}", function, formula, "PyTorch", (f"torch.nn.init.{name}_",), example=example)


ENTRIES = (
    *(_keras(name, *entry) for name, entry in _COMMON.items()),
    _keras("random_normal", keras_random_normal, "N(mean, stddev²)"),
    _keras("random_uniform", keras_random_uniform, "U(minval, maxval)"),
    _keras(
        "truncated_normal",
        keras_truncated_normal,
        f"normal {_CUT}, not corrected: the true std is 0.8796 stddev",
    ),
    _keras(
        "variance_scaling",
        keras_variance_scaling,
        "mean 0, variance scale / n; 'normal' means truncated, 'untruncated_normal' is the real one",
    ),
    _keras("orthogonal", matrices.orthogonal, "gain · Q", "Orthogonal"),
    _keras("identity", matrices.identity, "gain on the diagonal, 0 elsewhere", "Identity"),
    _keras("constant", keras_constant, "W = value"),
    *(_jax(name, *entry) for name, entry in _COMMON.items()),
    _jax("normal", jax_normal, "N(0, stddev²)"),
    _jax("uniform", jax_uniform, "U(0, scale): not centred"),
    _jax(
        "truncated_normal",
        jax_truncated_normal,
        "normal, cut at lower and upper standard deviations, not corrected",
    ),
    _jax(
        "variance_scaling",
        jax_variance_scaling,
        "mean 0, variance scale / n; truncated normals are corrected",
        "jax.variance_scaling(scale=1.0, mode=fan_in, distribution=truncated_normal)",
    ),
    _jax("orthogonal", jax_orthogonal, "scale · Q"),
    _jax("constant", papers.constant, "W = value", "jax.constant(value=0.1)"),
    _torch("uniform", torch_uniform, "U(a, b): by default not centred"),
    _torch("normal", torch_normal, "N(mean, std²)"),
    _torch("trunc_normal", torch_trunc_normal, "N(mean, std²) cut at a and b, which are absolute values"),
    _torch("constant", torch_constant, "W = val", "torch.constant(val=0.1)"),
    _torch("zeros", papers.zeros, "W = 0"),
    _torch("ones", papers.ones, "W = 1"),
    _torch("eye", torch_eye, "1 on the diagonal, also of a rectangle"),
    _torch(
        "xavier_normal",
        torch_xavier_normal,
        "N(0, gain² 2 / (fan_in + fan_out)); gain=activation: torch's gain for the cell's activation",
    ),
    _torch("xavier_uniform", torch_xavier_uniform, "U(±gain √(6 / (fan_in + fan_out))); gain as above"),
    _torch(
        "kaiming_normal",
        torch_kaiming_normal,
        "N(0, gain² / n), gain of the nonlinearity, by default √(2 / (1 + a²));"
        " nonlinearity=activation: of the cell's",
    ),
    _torch("kaiming_uniform", torch_kaiming_uniform, "U(±gain √(3 / n)); gain as above"),
    _torch("orthogonal", matrices.orthogonal, "gain · Q"),
    _torch(
        "sparse",
        torch_sparse,
        "N(0, std²), but of each input's outgoing weights ⌈sparsity · fan_out⌉ at random are 0",
        "torch.sparse(sparsity=0.9)",
    ),
    Entry(
        "torch.linear",
        torch_linear,
        "W and b ~ U(±1 / √fan_in): fan_in · Var W = 1/3",
        "PyTorch; kaiming_uniform with a = √5",
        ("torch.nn.Linear",),
    ),
    Entry(
        "flax.dense",
        flax_dense,
        f"mean 0, variance 1 / fan_in; normal {_CUT}, corrected; b = 0",
        "Flax",
        ("flax.linen.Dense", "flax.nnx.Linear"),
    ),
    Entry(
        "haiku.linear",
        haiku_linear,
        f"normal of std 1 / √fan_in {_CUT}, not corrected: fan_in · Var W = 0.774; b = 0",
        "Haiku",
        ("haiku.Linear",),
    ),
    Entry(
        "sklearn.mlp",
        sklearn_mlp,
        "W and b ~ U(±√(6 / (fan_in + fan_out))), with sigmoid 2 in the place of 6",
        "scikit-learn",
        ("sklearn.neural_network.MLPClassifier", "sklearn.neural_network.MLPRegressor"),
    ),
)
