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
from winit.network.statistics import Floats
from winit.network.summaries import Errors, errors

# What vanishes here has products of weights and values that may be subnormal.
_LEAST_ORDINARY = {type_: type_(np.finfo(type_).tiny * 2.0**66) for type_ in (np.float32, np.float64)}

_OUTPUT_BYTES = 2**19  # as much of y lies in the cache

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
    z_moments: Floats
    """Mean, standard deviation and mean square of z, shape (networks, 3); NaN where z is not finite."""
    h: Array


def forward(x: Array, parameters: Parameters, activation: Activation, depth: int) -> Iterator[Forward]:
    """The layers 1 … depth, in this order.

    Of each nothing is kept here but h, while the next one is made.
    """
    h = x
    for index in range(1, depth + 1):
        layer = _layer(h, parameters, activation, index)
        h = layer.h
        yield layer
        del layer


def _layer(inputs: Array, parameters: Parameters, activation: Activation, index: int) -> Forward:
    weights, bias = parameters(index, inputs)
    z, scales = product(inputs, weights)
    z_moments = statistics.scale(z, scales)
    changed = mend(z, z_moments, inputs, weights)
    if bias is not None:
        z += bias
        changed = True
    if changed:  # by the same function, so that those of other networks keep their bits
        z_moments = statistics.scale(z, np.ones_like(scales))
    h, derivative = activation(z)
    if np.isnan(z_moments).any():  # a kinked φ' compares, and every comparison with NaN is false
        derivative[np.isnan(z)] = np.nan
    return Forward(weights, derivative, inputs, z, z_moments, h)


def backward(
    layers: Sequence[Trace], readout: Sequence[Weights], cotangent: Array, *, magnitudes: bool = False
) -> Iterator[tuple[int, Errors]]:
    """The indices depth … 1, in this order, and what comes back to these layers from ``cotangent`` = ∂L/∂y.

    That has shape (networks, batch, outputs), or (1, batch, outputs) where all networks share it.
    ``magnitudes`` says whether those of g are counted.
    """
    delta, weights = cotangent, readout
    for index in range(len(layers), 0, -1):
        layer = layers[index - 1]
        g, scales = product(delta, weights, transposed=True)
        found = errors(g, scales, layer.derivative, magnitudes=magnitudes)
        if mend(g, found.moments, delta, weights, transposed=True):
            found = errors(g, np.ones_like(scales), layer.derivative, magnitudes=magnitudes)
        yield index, found
        delta, weights = found.delta, layer.weights
        del g, found


def output_std(h: Array, readout: Sequence[Weights]) -> Floats:
    """Standard deviation of all entries of y = h W_out of each network; NaN where one is not finite.

    ``h`` has shape (networks, batch, units), the result (networks,). Of a network so many examples go through
    the readout together as fit into ``_OUTPUT_BYTES``: a large y is never whole in memory.
    """
    examples = max(_OUTPUT_BYTES // (readout[0].matrix.shape[1] * h.itemsize), 1)
    found = np.empty(len(readout))
    for k in range(len(readout)):
        parts = [h[k : k + 1, start : start + examples] for start in range(0, h.shape[1], examples)]
        moments = np.array([_output_moments(part, readout[k : k + 1]) for part in parts])
        found[k] = statistics.pooled_std(moments, np.array([part.shape[1] for part in parts]))
    return found


def _output_moments(h: Array, readout: Sequence[Weights]) -> Floats:
    """Mean, standard deviation and mean square of y of one network."""
    y, scales = product(h, readout)
    moments = statistics.scale(y, scales)
    if mend(y, moments, h, readout):
        moments = statistics.moments(y)
    found: Floats = moments[0]
    return found


def product(values: Array, weights: Sequence[Weights], *, transposed: bool = False) -> tuple[Array, Array]:
    """Each network's values @ W, or values @ Wᵀ, and the scales that they are still to be multiplied by.

    ``values`` has shape (networks, batch, n), or (1, batch, n) where all networks share them; the scales have
    shape (networks,). What the caller does with each entry, it can do together with the multiplication.

    A processor multiplies subnormal numbers a hundred times slower than others. So examples that are
    that small are multiplied by a power of two first and divided by it afterwards. Both are exact;
    only results that are subnormal themselves can differ from the plain product, by being rounded once.
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
            scales[k] = 1.0
        else:
            np.matmul(values[k], matrix, out=made[k])
    return made, scales


def mend(
    made: Array, moments: Floats, values: Array, weights: Sequence[Weights], *, transposed: bool = False
) -> bool:
    """Whether one of the scaled products ``made`` was not finite where its ``values`` are, and is made anew.

    Such a product may have overflowed before the weights' scale made it smaller. ``moments`` are those of
    ``made``, NaN where an entry is not finite.
    """
    changed = False
    for k in np.flatnonzero(np.isnan(moments[:, 0])).tolist():
        those = values[min(k, len(values) - 1)]
        if np.isfinite(those).all() and not np.isfinite(made[k]).all():
            matrix = weights[k].matrix.T if transposed else weights[k].matrix
            made[k] = _careful_product(those, matrix, those.dtype.type(weights[k].scale))
            changed = True
    return changed


def _careful_product(values: Array, matrix: Array, scale: np.floating) -> Array:
    # Each example is taken for a stack of its own.
    examples = values[:, np.newaxis]
    exponents = statistics.unusual_exponents(statistics.largest(examples))
    made = statistics.divided(examples, exponents)[:, 0] @ matrix
    made *= scale
    return statistics.divided(made[:, np.newaxis], -exponents)[:, 0]


def weight_gradient(inputs: Array, delta: Array) -> Array:
    """∂L/∂W of each network, shape (networks, fan_in, fan_out): the mean over the batch of h_{l-1}ᵀ δ_l."""
    gradient = np.matmul(inputs.transpose(0, 2, 1), delta)
    return np.divide(gradient, inputs.shape[1], out=gradient)
