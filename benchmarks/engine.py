"""What the sweep costs beside its cells: engine, store, and a run that finds nothing to do."""

import io
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from multiprocessing.synchronize import Barrier
from pathlib import Path

import distributed
import numpy as np
import pyarrow as pa

from benchmarks.kernel import cells as kernel_cells
from benchmarks.measuring import Benchmark, seconds
from benchmarks.synthetic import grid, measured, parts
from winit.network.cells import Cell
from winit.network.kernel import Measured, Table
from winit.sweep.cluster import open_cluster
from winit.sweep.config import Config
from winit.sweep.engine import Outcome, sweep
from winit.sweep.kinds import KINDS
from winit.sweep.layout import Results
from winit.sweep.patience import Patience
from winit.sweep.plan import make_plan
from winit.sweep.progress import Progress
from winit.sweep.settings import ClusterSettings
from winit.sweep.store import Store
from winit.sweep.tasks import compute

ROOT = Path(__file__).parents[1]
_PROGRAMS = Path(sys.executable).parent
_FINISHED = 100_000
_NO_OP_CELLS = 20_000
_BLOCK = 100
_PRODUCTS = 1500


def _swept(plan: pa.Table, client: distributed.Client) -> float:
    """Seconds that a sweep of ``plan`` into an empty store takes, from its first block to the disk."""
    with (
        tempfile.TemporaryDirectory(prefix="winit-") as folder,
        Progress(plan.num_rows, io.StringIO()) as progress,
    ):
        outcome = Outcome(plan.num_rows, 0)
        took = seconds(lambda: sweep(plan, client, Store(Path(folder)), Patience(), outcome, progress))
    if outcome.computed != plan.num_rows:
        raise RuntimeError(f"{len(outcome.failed)} of {plan.num_rows} cells failed")
    return took


@cache
def _table(depth: int) -> Table:
    return measured(depth)


def _nothing(cells: Sequence[Cell]) -> Iterator[Measured]:
    """A kernel that hands back what it has at hand."""
    for cell in cells:
        yield Measured(cell, _table(cell.depth), 0.0)


def _compute_nothing() -> None:
    KINDS[Cell] = replace(KINDS[Cell], compute=_nothing)


def _in_blocks(plan: pa.Table, cells: int) -> pa.Table:
    index = plan.schema.get_field_index("block")
    block = pa.array(np.arange(plan.num_rows) // cells, pa.int32())
    return plan.set_column(index, plan.schema.field(index), block)


def _overhead(rounds: int) -> Iterator[float]:
    plan = _in_blocks(make_plan(grid(_NO_OP_CELLS)), _BLOCK)
    with open_cluster(ClusterSettings(), 1) as client:
        client.run(_compute_nothing)
        _swept(plan.slice(0, 10 * _BLOCK), client)
        for _ in range(rounds):
            yield _swept(plan, client) / plan.num_rows * 1e3


def _two_workers(rounds: int) -> Iterator[float]:
    axes = {"initializer": ["he_normal", "orthogonal"], "activation": ["relu", "tanh"], "depth": 20}
    grids = [axes | {"width": 512, "seed": {"count": 12}, "probe": {"batch": 256}}]
    plan = make_plan(Config.checked({"grids": grids, "training": {"grids": []}}, "benchmark"))
    # Of equal cost, and so many that the last ones do not count: blocks of a seed.
    plan = _in_blocks(plan, 4)
    with open_cluster(ClusterSettings(), 1) as one, open_cluster(ClusterSettings(), 2) as two:
        for client in (one, two):
            client.run(compute, kernel_cells(512, 256, (2,))[:4])
        for _ in range(rounds):
            before = _swept(plan, one)
            both = _swept(plan, two)
            yield (before + _swept(plan, one)) / 2 / both


def _multiply(start: Barrier) -> None:
    left, right = np.random.default_rng(0).standard_normal((2, 512, 512), dtype=np.float32)
    out = np.empty_like(left)
    start.wait()
    for _ in range(_PRODUCTS):
        np.matmul(left, right, out=out)


def _products_together(processes: int) -> float:
    """Seconds in which so many processes each do the same number of products."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(processes + 1)
    running = [context.Process(target=_multiply, args=(start,)) for _ in range(processes)]
    for process in running:
        process.start()
    start.wait()
    started = time.perf_counter()
    for process in running:
        process.join()
    return time.perf_counter() - started


def _two_processes(rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        before = _products_together(1)
        both = _products_together(2)
        yield (before + _products_together(1)) / both


def _index(part_cells: int) -> Callable[[int], Iterator[float]]:
    def measure(rounds: int) -> Iterator[float]:
        plan = make_plan(grid(_FINISHED, histograms=False))
        with tempfile.TemporaryDirectory(prefix="winit-") as folder:
            store = Store(Path(folder))
            for part in parts(plan, part_cells):
                store.write(part)
            for _ in range(rounds):
                yield seconds(store.index)

    return measure


@contextmanager
def _finished_project() -> Iterator[Path]:
    """A folder as a user has it, with results of so many cells.

    The steps up to ``collect`` are the real ones, on drawn layer rows; of the tables and figures behind it
    only names and times are there, which is what Snakemake looks at.
    """
    config = grid(_FINISHED, histograms=False)
    with tempfile.TemporaryDirectory(prefix="winit-") as name:
        folder = Path(name)
        for rules in ("Snakefile", "workflow", "profiles", "config"):
            source = ROOT / rules
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / rules)
        (folder / "large.yaml").write_text(config.to_yaml(), encoding="utf-8")
        results = Results(folder / config.results)
        store = Store(results.parts)
        for part in parts(make_plan(config), 1000):
            store.write(part)
        _snakemake(folder, "results/cells.parquet", "results/training_runs.parquet")
        results.tables.mkdir()
        results.figures.mkdir()
        made_by_theory = ("theory.parquet", "functions.json")
        for made in (*made_by_theory, "summary.parquet", "claims.parquet", "report.html", "status.txt"):
            (results.folder / made).touch()
        for made in (
            "summary.csv",
            "summary.md",
            "theory.csv",
            "theory.md",
            "notes.md",
            "claims.csv",
            "claims.md",
        ):
            (results.tables / made).touch()
        _snakemake(folder, "--touch")
        yield folder


def _snakemake(folder: Path, *arguments: str) -> str:
    """What it prints. Raises RuntimeError where it fails."""
    done = subprocess.run(  # noqa: S603 - this project's own workflow
        [_PROGRAMS / "snakemake", *arguments, "--cores", "2", "--configfile", "large.yaml"],
        cwd=folder,
        env=os.environ | {"PATH": f"{_PROGRAMS}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout)
    return done.stdout


def _second_run(rounds: int) -> Iterator[float]:
    with _finished_project() as folder:
        for _ in range(rounds):
            started = time.perf_counter()
            said = _snakemake(folder)
            took = time.perf_counter() - started
            if "Nothing to be done" not in said:
                raise RuntimeError(said)
            yield took


BENCHMARKS = (
    Benchmark(
        "engine-overhead",
        "a sweep whose kernel does nothing, for each cell: 20,000 cells of ten layer rows with histograms,"
        " blocks of 100, one worker",
        1.0,
        "at most",
        "ms",
        _overhead,
    ),
    Benchmark(
        "engine-two-workers",
        "cells a second with two workers ÷ with one (width 512, batch 256, depth 20)",
        1.9,
        "at least",
        "×",
        _two_workers,
    ),
    Benchmark(
        "engine-two-processes",
        "the same of two bare processes that multiply 512 × 512 matrices: what the machine gives",
        1.9,
        "at least",
        "×",
        _two_processes,
    ),
    Benchmark(
        "engine-second-run",
        "`snakemake` where 100,000 cells are finished and nothing is to be done",
        8.0,
        "at most",
        "s",
        _second_run,
    ),
    Benchmark(
        "engine-index",
        "index of a store of 100,000 finished cells in 1,000 parts",
        2.0,
        "at most",
        "s",
        _index(100),
    ),
    Benchmark(
        "engine-index-small-parts",
        "the same in 10,000 parts",
        2.0,
        "at most",
        "s",
        _index(10),
    ),
)
