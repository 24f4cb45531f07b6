"""A small project whose cells are slow and count themselves, and what a fault has cost it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import yaml
from projects import workflow_in

BIN = Path(sys.executable).parent
CELLS = 80

# Writes a line for every network that it makes, takes a tenth of a second for each, or as told, waits while
# it is held, and may be told to take all the memory there is.
COUNTING = """
import os, time
from pathlib import Path

import numpy as np

def counted(layer):
    weights = layer.standard("normal") / layer.fan_in**0.5
    log = os.environ.get("WINIT_TEST_LOG")
    if log and layer.index == 1 and layer.depth == 3:
        with open(log, "a") as file:
            file.write(f"{os.getpid()} {weights[0, 0]!r} {time.time()}\\n")
        time.sleep(float(os.environ.get("WINIT_TEST_SECONDS", "0.1")))
        while held(log):
            time.sleep(0.02)
        if Path(log + ".hungry").exists() and weights[0, 0] == float(Path(log + ".hungry").read_text()):
            hoard = []
            while True:
                hoard.append(np.ones(8_000_000))
                time.sleep(0.05)
    return np.array(weights)

def held(log):
    try:
        most = int(Path(log + ".held").read_text())
    except FileNotFoundError:
        return False
    with open(log) as file:
        return sum(1 for _ in file) > most
"""

CONFIG = {
    "grids": [
        {
            "initializer": "counting.py:counted",
            "activation": "tanh",
            "depth": 3,
            "width": 64,
            "seed": {"count": CELLS},
        }
    ],
    "probe": {"batch": 64},
    "training": {"grids": []},
    "sweep": {"block_seconds": 0.002, "part_seconds": 0.5},
}


class Project:
    """A folder with the workflow and the config above; commands run in it."""

    def __init__(self, folder, **config):
        self.folder = folder
        workflow_in(folder, CONFIG | config)
        (folder / "counting.py").write_text(COUNTING)
        self.log = folder / "cells.log"
        self.environment = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "WINIT_TEST_LOG": str(self.log),
        }

    def configure(self, **config):
        (self.folder / "config/default.yaml").write_text(yaml.safe_dump(CONFIG | config))

    @property
    def results(self):
        return self.folder / "results"

    def start(self, *command, **options):
        """A command in a session of its own, so that its group can be killed as a terminal would."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} | options
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )

    def run(self, *command, timeout=120):
        """A command to its end: return code and what it said."""
        with self.start(*command) as process:
            try:
                said, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise AssertionError(f"{command} took too long: {process.communicate()[0]}") from None
        return process.returncode, said

    def plan(self):
        code, said = self.run("winit", "plan", "--write")
        assert code == 0, said

    def layers(self):
        """The bytes of the dataset, collected anew."""
        code, said = self.run("winit", "collect")
        assert code == 0, said
        cells = pq.read_table(self.results / "cells.parquet")
        assert len(cells) == CELLS
        assert set(cells["status"].to_pylist()) == {"ok"}
        return [path.read_bytes() for path in sorted(self.results.glob("layers/*.parquet"))]

    def lines(self):
        """Of each cell that was begun, in order: process, which cell, when."""
        with suppress(FileNotFoundError):
            lines = [
                line.split() for line in self.log.read_text().splitlines(keepends=True) if line[-1] == "\n"
            ]
            return [(int(process), cell, float(when)) for process, cell, when in lines]
        return []

    def begun(self):
        """How often each cell was begun."""
        return Counter(cell for _, cell, _ in self.lines())

    def recovery(self, since):
        """Seconds from ``since`` (of ``time.time``) until a process that is new began a cell."""
        old = {process for process, _, when in self.lines() if when <= since}
        return min(when for process, _, when in self.lines() if process not in old) - since

    def computed_twice(self):
        """Cells that were begun again, in all."""
        begun = self.begun()
        assert len(begun) == CELLS
        return sum(begun.values()) - CELLS

    def hold(self, begun):
        """Let no cell finish while more than ``begun`` were begun: the sweep lasts until ``go_on``."""
        aside = self._held.with_suffix(".new")
        aside.write_text(str(begun))
        aside.replace(self._held)

    def go_on(self):
        """Let all cells finish."""
        self._held.unlink(missing_ok=True)

    @property
    def _held(self):
        return self.log.with_name(f"{self.log.name}.held")

    def wait_for_cells(self, count, seconds=60):
        """Until so many cells were begun."""
        wait_until(lambda: sum(self.begun().values()) >= count, seconds)

    def wait_for_parts(self, count=1, seconds=60):
        """Until so many parts are in the store."""
        wait_until(lambda: len(list(self.results.glob("parts/*.parquet"))) >= count, seconds)


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def errors_in(said):
    """The lines with which a command ended, without that which says whose code it runs."""
    lines = [line for line in said.splitlines() if line.startswith("winit: ")]
    return [line for line in lines if not line.startswith("winit: runs code of yours: ")]


def workers_of(process):
    """The processes under ``process`` that compute: those of Dask's nannies."""
    with suppress(psutil.NoSuchProcess):
        return [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "multiprocessing.spawn" in " ".join(_command(child))
        ]
    return []


def _command(process):
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return process.cmdline()
    return []


def record(fault, times, twice, seconds):
    """A line of the table in docs/reliability.md, of a test that found nothing lost; printed at the end."""
    if path := os.environ.get("WINIT_RELIABILITY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps([fault, times, 0, twice, f"{seconds:.1f}"]) + "\n")
