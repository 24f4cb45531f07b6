"""The catalogue of initializers.

An initializer is a function from a layer (and its own arguments) to a ``Law``, where the weights are
independent and identically distributed, or to the weights themselves. The kernel is y = x W, so
that W has shape (fan_in, fan_out). To add one, write the function and its entry in ``INITIALIZERS``;
the config check, the catalogue and the tests follow from the entry.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from winit.network import labels
from winit.network.activations import Activation, activation
from winit.network.draws import Array, Distribution, Draws, Purpose


@dataclass(frozen=True)
class Law:
    """Weights that are i.i.d.: ``mean + std * (a draw of variance 1)``, or the constant ``mean``."""

    distribution: Distribution | Literal["constant"]
    std: float = 0.0
    mean: float = 0.0

    def weights(self, layer: "Layer") -> Array:
        """Draw W of ``layer``, shape (fan_in, fan_out), in the layer's dtype."""
        if self.distribution == "constant":
            return np.full(layer.shape, self.mean, layer.dtype)
        weights = layer.standard(self.distribution) * layer.dtype.type(self.std)
        if self.mean:
            weights += layer.dtype.type(self.mean)
        return weights


@dataclass(frozen=True)
class Layer:
    """What an initializer may know of the layer whose weights it makes."""

    fan_in: int
    fan_out: int
    index: int
    """1 … depth, depth + 1 for the readout."""
    depth: int
    activation: Activation
    draws: Draws
    dtype: np.dtype[np.floating]

    @property
    def shape(self) -> tuple[int, int]:
        """(fan_in, fan_out)."""
        return self.fan_in, self.fan_out

    def standard(self, distribution: Distribution) -> Array:
        """The layer's standard draw, shape (fan_in, fan_out), in its dtype; do not write to it."""
        # Readouts of every depth are one draw, so that cells that differ in depth stay paired.
        purpose: Purpose = "weights" if self.index <= self.depth else "readout"
        index = self.index if purpose == "weights" else 0
        return self.draws.standard(distribution, purpose, index, self.shape).astype(self.dtype, copy=False)


Make = Callable[..., Law | Array]


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue. ``example`` is a label with every argument that has no default."""

    name: str
    make: Make
    formula: str
    source: str
    example: str = ""

    @property
    def label(self) -> str:
        """A label of this entry that is complete."""
        return self.example or self.name


@dataclass(frozen=True)
class Initializer:
    """A catalogue entry with its arguments; ``label`` is canonical."""

    label: str
    entry: Entry
    arguments: tuple[tuple[str, labels.Value], ...]

    def law(self, layer: Layer) -> Law | None:
        """The law of the weights of ``layer``, or None where they are not i.i.d."""
        made = self.entry.make(layer, **dict(self.arguments))
        return made if isinstance(made, Law) else None

    @property
    def is_iid(self) -> bool:
        """Whether the weights of a layer are independent and identically distributed."""
        return self.law(_trial_layer()) is not None

    def weights(self, layer: Layer) -> Array:
        """W of ``layer``, shape (fan_in, fan_out), in the layer's dtype."""
        made = self.entry.make(layer, **dict(self.arguments))
        return made.weights(layer) if isinstance(made, Law) else made.astype(layer.dtype)


def zeros(layer: Layer) -> Law:
    return Law("constant", mean=0.0)


def ones(layer: Layer) -> Law:
    return Law("constant", mean=1.0)


def constant(layer: Layer, value: float) -> Law:
    return Law("constant", mean=value)


def normal(layer: Layer, std: float, mean: float = 0.0) -> Law:
    return Law("normal", std=_at_least_zero("std", std), mean=mean)


def uniform(layer: Layer, low: float, high: float) -> Law:
    if high < low:
        raise labels.LabelError(f"uniform: high is {high}, below low, which is {low}")
    return Law("uniform", std=(high - low) / math.sqrt(12), mean=(low + high) / 2)


def variance_scaling(
    layer: Layer,
    scale: float = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"] = "fan_in",
    distribution: Literal["normal", "truncated_normal", "uniform"] = "normal",
) -> Law:
    n_in, n_out = layer.shape
    fan = {
        "fan_in": n_in,
        "fan_out": n_out,
        "fan_avg": (n_in + n_out) / 2,
        "fan_geo_avg": math.sqrt(n_in * n_out),
    }[mode]
    return Law(distribution, std=math.sqrt(_at_least_zero("scale", scale) / fan))


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


def orthogonal(layer: Layer, gain: float = 1.0) -> Array:
    return layer.standard("orthogonal") * layer.dtype.type(gain)


def _at_least_zero(name: str, value: float) -> float:
    if not value >= 0:
        raise labels.LabelError(f"{name} is {value}; it must be at least 0")
    return value


_LECUN = 'LeCun et al. 1998, "Efficient BackProp", §4.6'
_GLOROT = 'Glorot & Bengio 2010, "Understanding the difficulty of training deep networks", eq. 16'
_HE = 'He et al. 2015, "Delving deep into rectifiers", eq. 10'

INITIALIZERS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("zeros", zeros, "W = 0", "elementary"),
        Entry("ones", ones, "W = 1", "elementary"),
        Entry("constant", constant, "W = value", "elementary", "constant(value=0.1)"),
        Entry("normal", normal, "N(mean, std²)", "elementary", "normal(std=0.01)"),
        Entry("uniform", uniform, "U(low, high)", "elementary", "uniform(low=-0.05, high=0.05)"),
        Entry(
            "variance_scaling",
            variance_scaling,
            "mean 0, variance scale / n; n from mode: fan_in, fan_out, their mean, their geometric mean",
            "the general law of jax.nn.initializers and Keras; here 'normal' is not truncated",
        ),
        Entry("lecun_normal", lecun_normal, "N(0, 1 / fan_in)", _LECUN),
        Entry("lecun_uniform", lecun_uniform, "U(±√(3 / fan_in))", _LECUN),
        Entry("glorot_normal", glorot_normal, "N(0, 2 / (fan_in + fan_out))", _GLOROT),
        Entry("glorot_uniform", glorot_uniform, "U(±√(6 / (fan_in + fan_out)))", _GLOROT),
        Entry("he_normal", he_normal, "N(0, 2 / fan_in)", _HE),
        Entry("he_uniform", he_uniform, "U(±√(6 / fan_in))", _HE),
        Entry(
            "orthogonal",
            orthogonal,
            "gain · Q, semi-orthogonal where fan_in ≠ fan_out",
            'Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning", §3',
        ),
    )
}


@lru_cache(maxsize=1024)
def initializer(label: str) -> Initializer:
    """The initializer that ``label`` names.

    Raises LabelError, with the mend, where there is none or its arguments do not fit.
    """
    found = Initializer(*labels.resolve("initializer", label, INITIALIZERS, lambda entry: entry.make))
    # Values out of range show themselves now, on a small layer, before anything runs.
    found.law(_trial_layer())
    return found


def _trial_layer() -> Layer:
    return Layer(3, 2, 1, 1, activation("identity"), Draws(0), np.dtype(np.float32))
