"""Initializers whose entries depend on one another, or on data: orthogonal, sparse, identities, LSUV."""

import math

import numpy as np

from winit.network.arrays import Array
from winit.network.initializers.entry import Entry, Layer, at_least_zero
from winit.network.labels import LabelError


def identity(layer: Layer, gain: float = 1.0) -> Array:
    return gain * np.eye(*layer.shape)


def orthogonal(layer: Layer, gain: float = 1.0) -> Array:
    return layer.standard("orthogonal") * layer.dtype.type(gain)


def scaled_uniform_orthogonal(layer: Layer) -> Array:
    return orthogonal(layer, max(math.sqrt(layer.fan_out / layer.fan_in), 1.0))


def sparse(layer: Layer, sparsity: float, std: float = 0.01) -> Array:
    zeros = math.ceil(_share("sparsity", sparsity) * layer.fan_in)
    return sparse_normal(layer, layer.fan_in - zeros, std)


def martens_sparse(layer: Layer, links: int = 15, std: float = 1.0) -> Array:
    if links < 1:
        raise LabelError(f"links is {links}; it must be at least 1")
    return sparse_normal(layer, min(links, layer.fan_in), std)


def sparse_normal(layer: Layer, links: int, std: float, axis: int = 0) -> Array:
    """N(0, std²) at ``links`` places of every column (axis 0) or row (axis 1) at random, 0 elsewhere."""
    # Ranks of random numbers are a random permutation.
    ranks = (
        layer.generator.random(layer.shape, dtype=np.float32)
        .argsort(axis, kind="stable")
        .argsort(axis, kind="stable")
    )
    return np.where(ranks < links, layer.standard("normal") * at_least_zero("std", std), 0)


def zero_init(layer: Layer) -> Array:
    n_in, n_out = layer.shape
    if n_out <= n_in:
        return np.eye(n_in, n_out)
    order = 2 ** math.ceil(math.log2(n_out))
    return hadamard(n_in, n_out) / math.sqrt(order)


def hadamard(rows: int, columns: int) -> Array:
    """The corner of Sylvester's matrices of ±1, shape (rows, columns); they are each other's corners.

    Where i and j, in binary, have an odd number of ones in common, the entry is −1.
    """
    common = np.arange(rows)[:, np.newaxis] & np.arange(columns)
    return 1.0 - 2.0 * (np.bitwise_count(common) & 1)


def lsuv(layer: Layer, gain: float = 1.0, tolerance: float = 0.1) -> Array:
    at_least_zero("tolerance", tolerance)
    if not gain > 0:
        raise LabelError(f"gain is {gain}; it must be above 0")
    weights = layer.standard("orthogonal")
    if layer.inputs is None:
        return weights * gain
    # The pre-activation is linear in W, so that one division makes its variance exact.
    std = float((layer.inputs @ weights).std(dtype=np.float64))
    if not 0 < std < math.inf or abs(std**2 - gain**2) < tolerance * gain**2:
        return weights
    return weights * layer.dtype.type(gain / std)


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise LabelError(f"{name} is {value}; it must be from 0 to 1")
    return value


ENTRIES = (
    Entry("identity", identity, "gain on the diagonal, also of a rectangle, 0 elsewhere", "elementary"),
    Entry(
        "orthogonal",
        orthogonal,
        "gain · Q, semi-orthogonal where fan_in ≠ fan_out",
        'Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning", §3',
    ),
    Entry(
        "scaled_uniform_orthogonal",
        scaled_uniform_orthogonal,
        "max(√(fan_out / fan_in), 1) · Q",
        'Martens et al. 2021, "Rapid training of deep neural networks without skip connections"',
    ),
    Entry(
        "sparse",
        sparse,
        "N(0, std²), but of each unit's incoming weights ⌈sparsity · fan_in⌉ at random are 0",
        "after Martens 2010; torch.sparse is the same with the roles of inputs and units exchanged",
        example="sparse(sparsity=0.9)",
    ),
    Entry(
        "martens_sparse",
        martens_sparse,
        "N(0, std²) for `links` incoming weights of each unit, the others 0",
        'Martens 2010, "Deep learning via Hessian-free optimization", §5',
    ),
    Entry(
        "zero_init",
        zero_init,
        "nothing random: the identity; where fan_out > fan_in, H / √m, cut to shape, H the Hadamard"
        " matrix of order m, the next power of two from fan_out, as in the authors' code (the paper's"
        " algorithm 1 has √2 times that)",
        'Zhao et al. 2022, "ZerO initialization: initializing neural networks with only zeros and ones"',
    ),
    Entry(
        "lsuv",
        lsuv,
        "Q, divided by std(z) / gain of the batch, z = x W, unless var(z) is within tolerance of gain²",
        'Mishkin & Matas 2016, "All you need is a good init"',
    ),
)
