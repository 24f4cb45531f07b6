"""Forward and backward passes of fully connected networks.

    h_0 = x                        (batch, width_0)
    z_l = h_{l-1} W_l + b_l        W_l (fan_in, fan_out), b_l (fan_out,)
    h_l = φ(z_l)                   (batch, fan_out),   l = 1 … depth
    y   = h_depth W_out            (batch, outputs)

    g_depth = v W_outᵀ             v = ∂L/∂y, per example, (batch, outputs)
    δ_l = g_l ⊙ φ'(z_l)            g_l = ∂L/∂h_l, per example, (batch, fan_out)
    g_{l-1} = δ_l W_lᵀ
    ∂L/∂W_l = h_{l-1}ᵀ δ_l / batch

Networks of one shape go through together, as a stack: every array has a first axis more, that of the
networks, and every network has weights of its own. Each is computed as it would be alone, to the bit;
together they spare small networks most of the time between the calculations.

Both passes are generators: the caller measures a layer while its arrays are in the cache, and keeps
what it wants to keep.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from winit.network import statistics
from winit.network.activations import Activation
from winit.network.arrays import Array
from winit.network.initializers import Weights

# What vanishes here has products of weights and values that may be subnormal.
_LEAST_ORDINARY = {type_: type_(np.finfo(type_).tiny * 2.0**66) for type_ in (np.float32, np.float64)}
# What is larger may overflow where the product with the scaled weights would not.
_MOST_ORDINARY = {type_: type_(np.finfo(type_).max * 2.0**-30) for type_ in (np.float32, np.float64)}

Parameters = Callable[[int, Array], tuple[Sequence[Weights], Array | None]]
"""From a layer's index (1 … depth) and its inputs h_{l-1} to each network's W, and to their b, if any.

The inputs have shape (networks, batch, fan_in), or (1, batch, fan_in) where all networks share them;
b has shape (networks, 1, fan_out).
"""


@dataclass(frozen=True)
class Trace:
    """What the backward pass needs of a layer; shapes as in the module's docstring."""

    weights: Sequence[Weights]
    derivative: Array
    """φ'(z)"""


@dataclass(frozen=True)
class Forward(Trace):
    """A layer after the forward pass."""

    inputs: Array
    z: Array
    h: Array


@dataclass(frozen=True)
class Backward:
    """A layer after the backward pass; shapes as in the module's docstring."""

    index: int
    """l, 1 … depth"""
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
        if _has_nan(z):  # a kinked φ' compares, and every comparison with NaN is false
            derivative[np.isnan(z)] = np.nan
        yield Forward(weights, derivative, inputs, z, h)


def backward(layers: Sequence[Trace], readout: Sequence[Weights], cotangent: Array) -> Iterator[Backward]:
    """The layers depth … 1, in this order, from ``cotangent`` = ∂L/∂y.

    That has shape (networks, batch, outputs), or (1, batch, outputs) where all networks share it.
    """
    g = product(cotangent, readout, transposed=True)
    for index in range(len(layers), 0, -1):
        layer = layers[index - 1]
        delta = g * layer.derivative
        yield Backward(index, g, delta)
        if index > 1:
            g = product(delta, layer.weights, transposed=True)


def product(values: Array, weights: Sequence[Weights], *, transposed: bool = False) -> Array:
    """Each network's values @ W, or values @ Wᵀ, at full speed for vanishing values too.

    ``values`` has shape (networks, batch, n), or (1, batch, n) where all networks share them.

    A processor multiplies subnormal numbers a hundred times slower than others. So examples that are
    that small are multiplied by a power of two first and divided by it afterwards. Both are exact;
    only results that are subnormal themselves can differ from the plain product, by being rounded once.
    Likewise for examples so large that the product overflows before the weights' scale makes it smaller.
    """
    matrices = [w.matrix.T if transposed else w.matrix for w in weights]
    scales = np.array([w.scale for w in weights], values.dtype)
    if len(values) < len(weights):
        values = np.broadcast_to(values, (len(weights), *values.shape[1:]))
    made = np.empty((len(weights), values.shape[1], matrices[0].shape[1]), values.dtype)
    vanishing = statistics.vanishing(values, _LEAST_ORDINARY[values.dtype.type])
    for k, matrix in enumerate(matrices):
        if vanishing[k]:
            made[k] = _careful_product(values[k], matrix, scales[k])
        else:
            np.matmul(values[k], matrix, out=made[k])
            if scales[k] != 1.0:
                made[k] *= scales[k]
    if not np.isfinite(_square_sum(made)):
        # Where it overflowed although the inputs are finite, the order of the factors may be the reason.
        overflowed = ~np.isfinite(made).all(axis=(1, 2)) & np.isfinite(values).all(axis=(1, 2))
        for k in np.flatnonzero(overflowed & ~vanishing).tolist():
            made[k] = _careful_product(values[k], matrices[k], scales[k])
    return made


def _careful_product(values: Array, matrix: Array, scale: np.floating) -> Array:
    kind = values.dtype.type
    largest = np.abs(values).max(axis=1, keepdims=True)
    ordinary = (largest == 0) | ((largest >= _LEAST_ORDINARY[kind]) & (largest < _MOST_ORDINARY[kind]))
    exponents = np.where(ordinary | ~np.isfinite(largest), 0, np.frexp(largest)[1])
    # In two steps, since 2^-e of the smallest values is larger than every float.
    half = exponents // 2
    rest = exponents - half
    made = (values * _power(-half, kind) * _power(-rest, kind)) @ matrix
    made *= scale
    made *= _power(half, kind)
    made *= _power(rest, kind)
    return made


def _power(exponents: Array, kind: type[np.floating]) -> Array:
    return np.ldexp(kind(1), exponents)


def _square_sum(values: Array) -> float:
    """Σ values², NaN where an entry is, and infinite where one is large: the quickest look for either."""
    flat = values.reshape(-1)
    return float(np.dot(flat, flat))


def _has_nan(values: Array) -> bool:
    return bool(np.isnan(_square_sum(values)))


def weight_gradient(inputs: Array, delta: Array) -> Array:
    """∂L/∂W of each network, shape (networks, fan_in, fan_out): the mean over the batch of h_{l-1}ᵀ δ_l."""
    gradient = np.matmul(inputs.transpose(0, 2, 1), delta)
    return np.divide(gradient, inputs.shape[1], out=gradient)
