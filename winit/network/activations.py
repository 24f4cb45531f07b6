"""The catalogue of activations.

An activation is a function from the pre-activation z (and its own arguments) to the pair
(φ(z), φ'(z)), both new arrays of the shape and dtype of z. Returning both lets them share their
costly part, and is all that the forward pass, the backward pass and the theory need. At a kink the
derivative is the one from the left. To add one, write the function and its entry in ``ACTIVATIONS``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from winit.network import labels
from winit.network.draws import Array

Pair = tuple[Array, Array]

# Histograms of an unbounded activation cover this range.
UNBOUNDED_RANGE = (-4.0, 4.0)


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue. ``bounds`` are the values φ cannot leave, None where unbounded."""

    name: str
    evaluate: Callable[..., Pair]
    formula: str
    source: str
    bounds: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """A label of this entry that is complete."""
        return self.name


@dataclass(frozen=True)
class Activation:
    """A catalogue entry with its arguments; ``label`` is canonical."""

    label: str
    entry: Entry
    arguments: tuple[tuple[str, labels.Value], ...]

    def __call__(self, z: Array) -> Pair:
        """φ(z) and φ'(z)."""
        return self.entry.evaluate(z, **dict(self.arguments))

    @cached_property
    def largest_derivative(self) -> float:
        """max |φ'(z)| over |z| ≤ 10, from 20,001 points."""
        return float(np.abs(self(np.linspace(-10.0, 10.0, 20_001))[1]).max())

    @property
    def histogram_range(self) -> tuple[float, float]:
        """What the histogram of h covers: the activation's own range, (−4, 4) where unbounded."""
        return self.entry.bounds or UNBOUNDED_RANGE


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
    return np.where(z >= 0, larger, smaller), larger * smaller


def tanh(z: Array) -> Pair:
    h = np.tanh(z)
    # From the output, as the frameworks do: where tanh rounds to ±1 a real network's gradient is 0.
    derivative = h * h
    np.subtract(1, derivative, out=derivative)
    return h, derivative


def relu(z: Array) -> Pair:
    return np.maximum(z, 0), (z > 0).astype(z.dtype)


def leaky_relu(z: Array, negative_slope: float = 0.01) -> Pair:
    derivative = np.where(z > 0, z.dtype.type(1), z.dtype.type(negative_slope))
    return z * derivative, derivative


def elu(z: Array, alpha: float = 1.0) -> Pair:
    below = np.minimum(z, 0)
    positive = z > 0
    h = np.where(positive, z, alpha * np.expm1(below))
    return h, np.where(positive, z.dtype.type(1), alpha * np.exp(below))


# Klambauer et al. 2017, eq. 14: the fixed point (mean 0, variance 1) of the map of moments.
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def selu(z: Array) -> Pair:
    h, derivative = elu(z, SELU_ALPHA)
    return h * SELU_SCALE, derivative * SELU_SCALE


def gelu(z: Array) -> Pair:
    from scipy.special import ndtr

    probability = ndtr(z)
    density = np.exp(-0.5 * np.square(z)) * (1 / math.sqrt(2 * math.pi))
    return z * probability, probability + z * density


def softplus(z: Array) -> Pair:
    h = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return h, sigmoid(z)[0]


def silu(z: Array) -> Pair:
    gate, slope = sigmoid(z)
    return z * gate, gate + z * slope


ACTIVATIONS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("identity", identity, "z", "elementary"),
        Entry("sigmoid", sigmoid, "1 / (1 + e⁻ᶻ)", "elementary", (0.0, 1.0)),
        Entry("tanh", tanh, "tanh z", "elementary", (-1.0, 1.0)),
        Entry("relu", relu, "max(z, 0); φ'(0) = 0", "Nair & Hinton 2010"),
        Entry(
            "leaky_relu",
            leaky_relu,
            "z where z > 0, else negative_slope · z; φ'(0) = negative_slope",
            "Maas et al. 2013",
        ),
        Entry("elu", elu, "z where z > 0, else alpha (eᶻ − 1); φ'(0) = alpha", "Clevert et al. 2016"),
        Entry(
            "selu",
            selu,
            "1.0507 · elu(z, alpha=1.6733); φ'(0) = 1.7581",
            "Klambauer et al. 2017, eq. 2 and 14",
        ),
        Entry("gelu", gelu, "z Φ(z), exact", "Hendrycks & Gimpel 2016"),
        Entry("softplus", softplus, "log(1 + eᶻ)", "Dugas et al. 2001"),
        Entry("silu", silu, "z / (1 + e⁻ᶻ)", "Elfwing et al. 2018; swish of Ramachandran 2017"),
    )
}


@lru_cache(maxsize=1024)
def activation(label: str) -> Activation:
    """The activation that ``label`` names.

    Raises LabelError, with the mend, where there is none or its arguments do not fit.
    """
    return Activation(*labels.resolve("activation", label, ACTIVATIONS, lambda entry: entry.evaluate))
