"""Forward and backward passes of a fully connected network.

    h_0 = x                        (batch, width_0)
    z_l = h_{l-1} W_l + b_l        W_l (fan_in, fan_out), b_l (fan_out,)
    h_l = φ(z_l)                   (batch, fan_out),   l = 1 … depth
    y   = h_depth W_out            (batch, outputs)

    g_depth = v W_outᵀ             v = ∂L/∂y, per example, (batch, outputs)
    δ_l = g_l ⊙ φ'(z_l)            g_l = ∂L/∂h_l, per example, (batch, fan_out)
    g_{l-1} = δ_l W_lᵀ
    ∂L/∂W_l = h_{l-1}ᵀ δ_l / batch

Both passes are generators: the caller measures a layer while its arrays are in the cache, and keeps
what it wants to keep.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from winit.network import statistics
from winit.network.activations import Activation
from winit.network.draws import Array

# What vanishes here has products of weights and values that may be subnormal.
_LEAST_ORDINARY = {type_: type_(np.finfo(type_).tiny * 2.0**66) for type_ in (np.float32, np.float64)}

Parameters = Callable[[int, Array], tuple[Array, Array | None]]
"""From a layer's index (1 … depth) and its inputs h_{l-1} to its W and, where it has one, its b."""


@dataclass(frozen=True)
class Trace:
    """What the backward pass needs of a layer; shapes as in the module's docstring."""

    inputs: Array
    weights: Array
    derivative: Array
    """φ'(z)"""


@dataclass(frozen=True)
class Forward(Trace):
    """A layer after the forward pass."""

    z: Array
    h: Array


@dataclass(frozen=True)
class Backward:
    """A layer after the backward pass; shapes as in the module's docstring."""

    index: int
    """l, 1 … depth"""
    inputs: Array
    g: Array
    delta: Array


def forward(x: Array, parameters: Parameters, activation: Activation, depth: int) -> Iterator[Forward]:
    """The layers 1 … depth, in this order."""
    h = x
    for index in range(1, depth + 1):
        inputs = h
        weights, bias = parameters(index, inputs)
        z = product(inputs, weights)
        if bias is not None:
            z += bias
        h, derivative = activation(z)
        if np.isnan(z.min()):  # a kinked φ' compares, and every comparison with NaN is false
            derivative[np.isnan(z)] = np.nan
        yield Forward(inputs, weights, derivative, z, h)


def backward(layers: Sequence[Trace], readout: Array, cotangent: Array) -> Iterator[Backward]:
    """The layers depth … 1, in this order, from ``cotangent`` = ∂L/∂y, shape (batch, outputs)."""
    g = product(cotangent, readout.T)
    for index in range(len(layers), 0, -1):
        layer = layers[index - 1]
        delta = g * layer.derivative
        yield Backward(index, layer.inputs, g, delta)
        if index > 1:
            g = product(delta, layer.weights.T)


def product(values: Array, weights: Array) -> Array:
    """Values @ weights, of shapes (batch, n) and (n, m), at full speed for vanishing values too.

    A processor multiplies subnormal numbers a hundred times slower than others. So examples that are
    that small are multiplied by a power of two first and divided by it afterwards. Both are exact;
    only results that are subnormal themselves can differ from the plain product, by being rounded once.
    """
    least = _LEAST_ORDINARY[values.dtype.type]
    if not statistics.has_row_below(values, least):
        return values @ weights
    largest = np.abs(values).max(axis=1)
    small = (largest > 0) & (largest < least)
    exponents = np.where(small, np.frexp(largest)[1], 0)[:, np.newaxis]
    ordinary = np.ldexp(values, -exponents) @ weights
    return np.ldexp(ordinary, exponents, out=ordinary)


def weight_gradient(layer: Backward) -> Array:
    """∂L/∂W_l, shape (fan_in, fan_out): the mean over the batch."""
    gradient = layer.inputs.T @ layer.delta
    return np.divide(gradient, len(layer.inputs), out=gradient)
