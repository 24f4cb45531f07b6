"""Where the kernel's time goes, and how it grows along each axis: ``python -m benchmarks.anatomy``.

The tables of docs/performance.md come from here. Run it with a worker's environment, as
``python -m benchmarks`` runs its benchmarks: OPENBLAS_NUM_THREADS=1 at least.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.kernel import cells, compute
from benchmarks.measuring import seconds
from winit.network import activations, diagnostics, draws, propagation, statistics
from winit.network.cells import Cell, Probe

# What is timed, under the name that it has in the table. None of them calls another.
_STAGES: tuple[tuple[Any, str, str], ...] = (
    (np, "matmul", "matrix products"),
    (draws.Draws, "_draw", "random numbers"),
    (activations.Activation, "__call__", "φ and φ'"),
    (statistics, "scale", "scaling and moments of z"),
    (diagnostics, "summary", "moments, ends, zeros, histograms of h"),
    (propagation, "errors", "scaling, moments and magnitudes of g, and δ = g ⊙ φ'"),
    (statistics, "moments", "moments of weight gradients"),
    (statistics, "derivative_statistics", "statistics of φ'"),
    (diagnostics, "cosines", "cosines"),
    (statistics, "centred", "centring for Gram matrices"),
    (statistics, "forms", "products of Gram matrices"),
    (diagnostics, "distinct_columns", "different units and errors"),
    (statistics, "vanishing", "looking for vanishing examples"),
    (propagation, "_careful_product", "products of vanishing examples"),
)


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Seconds spent in each stage while this is open."""
    spent: dict[str, float] = defaultdict(float)

    def timing(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[name] += time.perf_counter() - started

        return timed

    patches = [patch.object(owner, name, timing(getattr(owner, name), what)) for owner, name, what in _STAGES]
    for each in patches:
        each.start()
    try:
        yield spent
    finally:
        for each in patches:
            each.stop()


def stages(width: int, batch: int) -> None:
    """Print the shares of the kernel's time, for the grid of its benchmark."""
    some = cells(width, batch)
    compute(some)
    with _timed() as spent:
        total = seconds(lambda: compute(some))
    print(f"\n| width {width}, batch {batch} | share of {total:.2f} s |\n| --- | --- |")
    for name, took in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"| {name} | {took / total:.1%} |")
    print(f"| all else: mostly calls | {1 - sum(spent.values()) / total:.1%} |")


def roofline() -> None:
    """Print what this machine's core reaches in products and in copies."""
    print("\n| what | reached |\n| --- | --- |")
    generator = np.random.default_rng(0)
    for rows, width in ((2000, 2000), (256, 512), (256, 64)):
        left = generator.standard_normal((rows, width), dtype=np.float32)
        right = generator.standard_normal((width, width), dtype=np.float32)
        out = np.empty((rows, width), np.float32)
        took = _best(lambda left=left, right=right, out=out: np.matmul(left, right, out=out))
        print(
            f"| float32 product {rows} × {width} × {width} | {2 * rows * width**2 / took / 1e9:.0f} GFLOP/s |"
        )
    for size in (2**18, 2**20, 2**26):
        source, target = np.ones(size, np.float32), np.empty(size, np.float32)
        took = _best(lambda source=source, target=target: np.copyto(target, source))
        print(f"| copy of {source.nbytes / 2**20:g} MiB | {2 * source.nbytes / took / 1e9:.0f} GB/s |")


def growth() -> None:
    """Print seconds a cell along each axis, from one middle point."""
    middle = Cell("he_normal", "tanh", 20, "256", 0, Probe(batch=256))
    axes: tuple[tuple[str, Sequence[Any], Callable[[Any], list[Cell]]], ...] = (
        ("depth", (5, 10, 20, 40, 80), lambda v: [replace(middle, depth=v)]),
        ("width", (32, 64, 128, 256, 512, 1024), lambda v: [replace(middle, width=str(v))]),
        ("batch", (64, 128, 256, 512, 1024), lambda v: [replace(middle, probe=Probe(batch=v))]),
        (
            "networks that share draws",
            (1, 2, 4, 8, 16),
            lambda v: [replace(middle, initializer=f"normal(std={0.05 + k / 1000})") for k in range(v)],
        ),
        ("depths of one network", (1, 2, 4), lambda v: [replace(middle, depth=20 - 5 * k) for k in range(v)]),
        ("dtype", ("float32", "float64"), lambda v: [replace(middle, probe=Probe(batch=256, dtype=v))]),
        ("histograms", (True, False), lambda v: [replace(middle, probe=Probe(batch=256, histograms=v))]),
        (
            "activation",
            ("identity", "relu", "tanh", "sigmoid", "gelu", "mish"),
            lambda v: [replace(middle, activation=v)],
        ),
    )
    print("\n| axis | ms a cell (around he_normal, tanh, depth 20, width 256, batch 256) |\n| --- | --- |")
    for name, values, made in axes:
        figures = []
        for value in values:
            some = made(value)
            took = _best(lambda some=some: compute(some), 0.3) / len(some)
            figures.append(f"{value}: {1e3 * took:.3g}")
        print(f"| {name} | {', '.join(figures)} |")


def _best(function: Callable[[], Any], budget: float = 0.2) -> float:
    """The shortest of the calls that fit into ``budget`` seconds, after one that does not count."""
    function()
    times = [seconds(function)]
    while sum(times) < budget:
        times.append(seconds(function))
    return min(times)


if __name__ == "__main__":
    roofline()
    for shape in ((64, 256), (512, 256), (2048, 128)):
        stages(*shape)
    growth()
