"""The kernel beside the matrix products that it cannot avoid."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.measuring import Benchmark, ratios
from winit.network.cells import Cell, Probe
from winit.network.diagnostics import gram_is_cheaper
from winit.network.kernel import measure

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
    """The matrix products of ``cells(width, batch)``, each with the kernel's shapes, into ready memory.

    One forward pass to the greatest depth; a backward pass from each; and for the moments of ∂L/∂W
    either hᵀδ, or h hᵀ and δ δᵀ, whichever is the cheaper.
    """
    generator = np.random.default_rng(0)
    h = generator.standard_normal((batch, width), dtype=np.float32)
    delta = generator.standard_normal((batch, width), dtype=np.float32)
    weights = generator.standard_normal((width, width), dtype=np.float32) / np.float32(np.sqrt(width))
    readout = generator.standard_normal((width, 10), dtype=np.float32)
    cotangent = generator.standard_normal((batch, 10), dtype=np.float32)
    out, gram, gradient = np.empty_like(h), np.empty((batch, batch), np.float32), np.empty_like(weights)
    grams = gram_is_cheaper(batch, width, width)
    for _ in range(len(INITIALIZERS) * len(ACTIVATIONS)):
        for _ in range(max(DEPTHS)):
            np.matmul(h, weights, out=out)
            if grams:
                np.matmul(h, h.T, out=gram)
        for depth in DEPTHS:
            np.matmul(cotangent, readout.T, out=out)
            for _ in range(depth - 1):
                np.matmul(delta, weights.T, out=out)
            for _ in range(depth):
                if grams:
                    np.matmul(delta, delta.T, out=gram)
                else:
                    np.matmul(h.T, delta, out=gradient)


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
