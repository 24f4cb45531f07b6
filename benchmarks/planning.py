"""The plan of a million cells, as a user or Snakemake makes it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.measuring import Benchmark

CELLS = 1_000_000
GRID = {
    "initializer": [f"normal(std={n / 100})" for n in range(1, 18)] + ["lecun_normal", "he_uniform", "zeros"],
    "activation": [
        "tanh",
        "relu",
        "sigmoid",
        "elu",
        "selu",
        "gelu",
        "silu",
        "softplus",
        "softsign",
        "erf",
    ],
    "depth": [1, 2, 3, 5, 8, 10, 15, 20, 30, 50],
    "width": [16, 32, 64, 100, 128, 200, 256, 300, 400, 512],
    "seed": {"first": 0, "count": 50},
}


def plan() -> tuple[float, float]:
    """Seconds, and peak memory in GB, of `winit plan --write`, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump({"grids": [GRID], "results": f"{folder}/results"}), encoding="utf-8")
        started = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", "winit", "plan", "--config", str(config), "--write"],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        with child:
            said = child.stdout.read().decode() if child.stdout else ""
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
    if child.returncode or f"{CELLS:,}" not in said:
        raise RuntimeError(f"winit plan ended with {child.returncode}: {said}")
    unit = 1 if sys.platform == "darwin" else 1024  # what the system counts in
    return seconds, used.ru_maxrss * unit / 1e9


def _seconds(rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        yield plan()[0]


def _memory(rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        yield plan()[1]


_WHAT = "winit plan --write of 1,000,000 cells, the whole process"

BENCHMARKS = (
    Benchmark("planning-time", f"{_WHAT}: time", 10.0, "at most", "s", _seconds),
    Benchmark("planning-memory", f"{_WHAT}: peak memory", 1.0, "at most", "GB", _memory),
)
