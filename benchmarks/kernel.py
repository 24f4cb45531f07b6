"""The kernel beside the matrix products that it cannot avoid."""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import Benchmark, ratios
from winit.network.cells import Cell, Probe
from winit.network.diagnostics import gram_is_cheaper
from winit.network.kernel import measure

Matrix = NDArray[np.float32]

INITIALIZERS = (
    "normal(std=0.01)",
    "normal(std=1.0)",
    "lecun_normal",
    "lecun_uniform",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
)
DEPTHS = (10, 20, 50)
ACTIVATIONS = ("tanh", "relu")


def cells(width: int, batch: int, depths: Sequence[int] = DEPTHS) -> list[Cell]:
    """A grid of ``INITIALIZERS`` × ``ACTIVATIONS`` × ``depths``, full statistics and histograms."""
    probe = Probe(batch=batch)
    return [
        Cell(initializer, activation, depth, str(width), 0, probe)
        for activation in ACTIVATIONS
        for initializer in INITIALIZERS
        for depth in depths
    ]


def compute(some: Sequence[Cell]) -> None:
    """Run the kernel, as a worker does."""
    for _ in measure(some):
        pass


def products(width: int, batch: int) -> None:
    """The matrix products of ``cells(width, batch)``, with the kernel's shapes, into ready memory.

    One forward pass to the greatest depth; a backward pass from each; and for the moments of ∂L/∂W
    either hᵀδ, or h hᵀ and δ δᵀ, whichever is the cheaper. As in any network every layer has weights and
    activations of its own.
    """
    weights, layers, readout, cotangent = _arrays(width, batch)
    grams = gram_is_cheaper(batch, width, width)
    gram, gradient = np.empty((batch, batch), np.float32), np.empty((width, width), np.float32)
    delta, other = np.empty((2, batch, width), np.float32)
    for _ in range(len(INITIALIZERS) * len(ACTIVATIONS)):
        for index, matrix in enumerate(weights):
            np.matmul(layers[index], matrix, out=layers[index + 1])
            if grams:
                np.matmul(layers[index], layers[index].T, out=gram)
        for depth in DEPTHS:
            np.matmul(cotangent, readout.T, out=delta)
            for index in reversed(range(depth)):
                if grams:
                    np.matmul(delta, delta.T, out=gram)
                else:
                    np.matmul(layers[index].T, delta, out=gradient)
                if index > 0:
                    np.matmul(delta, weights[index].T, out=other)
                    delta, other = other, delta


@cache
def _arrays(width: int, batch: int) -> tuple[list[Matrix], list[Matrix], Matrix, Matrix]:
    """Weights and activations of every layer, readout and cotangent, none of which grows or vanishes."""
    generator = np.random.default_rng(0)

    def drawn(*shape: int) -> Matrix:
        return generator.standard_normal(shape, dtype=np.float32)

    weights = [drawn(width, width) / np.float32(np.sqrt(width)) for _ in range(max(DEPTHS))]
    return weights, [drawn(batch, width) for _ in range(max(DEPTHS) + 1)], drawn(width, 10), drawn(batch, 10)


def _benchmark(width: int, batch: int, target: float) -> Benchmark:
    def run(rounds: int) -> Iterator[float]:
        compute(cells(width, batch, (2,)))
        yield from ratios(lambda: compute(cells(width, batch)), lambda: products(width, batch), rounds)

    what = (
        f"kernel ÷ its matrix products, width {width}, batch {batch}"
        " (8 initializers, depths 10, 20, 50, tanh and relu)"
    )
    return Benchmark(f"kernel-{width}", what, target, "at most", "×", run)


BENCHMARKS = (_benchmark(512, 256, 1.25), _benchmark(64, 256, 1.8), _benchmark(2048, 128, 1.25))
