"""On a full disk every command says so, and what was there before is there after, byte for byte."""

import json
import os
import subprocess
import sys

import pytest
from samples import TINY, make_findings

from winit.findings.claims.tested import write_claims
from winit.findings.figures import save_figures
from winit.findings.report import write_report
from winit.sweep.config import Config

SIMULATE = ["simulate", "he_normal", "relu", "--depth", "3", "--width", "16", "--batch", "20"]
COMMANDS = {
    "config": ["config", "--input", "config.json", "--output", "disk/results/config.yaml"],
    "plan": ["plan", "--write", "--config", "disk/results/config.yaml"],
    "collect": ["collect", "--config", "disk/results/config.yaml"],
    "theory": ["theory", "--config", "disk/results/config.yaml"],
    "summarize": ["summarize", "--results", "disk/results"],
    "claims": ["claims", "--results", "disk/results"],
    "plot": ["plot", "--results", "disk/results"],
    "report": ["report", "--results", "disk/results"],
    "status": ["status", "--config", "disk/results/config.yaml", "--output", "disk/results/status.txt"],
    "query, csv": ["query", "FROM layers", "--results", "disk/results", "--output", "disk/layers.csv"],
    "query, json": ["query", "FROM layers", "--results", "disk/results", "--output", "disk/layers.json"],
    "query, parquet": ["query", "FROM layers", "--results", "disk/results", "--output", "disk/a.parquet"],
    "query, md": ["query", "FROM layers", "--results", "disk/results", "--output", "disk/layers.md"],
    "query, txt": ["query", "FROM layers", "--results", "disk/results", "--output", "disk/layers.txt"],
    "simulate, svg": [*SIMULATE, "--plot", "disk/a.svg"],
    "simulate, html": [*SIMULATE, "--plot", "disk/a.html"],
    "phase, svg": ["phase", "tanh", "--output", "disk/phase.svg"],
    "phase, pdf": ["phase", "tanh", "--output", "disk/phase.pdf"],
    "phase, png": ["phase", "tanh", "--output", "disk/phase.png"],
}
GRID = {"initializer": ["he_normal", "zeros"], "activation": "relu", "depth": 3, "width": 16, "seed": [0, 1]}


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A folder with a disk of its own that holds whole results, and its commands."""
    folder = tmp_path_factory.mktemp("small")
    disk = folder / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    data = TINY | {"grids": [GRID], "results": "disk/results"}
    (folder / "config.json").write_text(json.dumps(data))
    (disk / "results").mkdir()
    results = make_findings(disk / "results", Config.checked(data, "test"))
    write_claims(results)
    save_figures(results)
    write_report(results)
    for name in ("status.txt", "../a.svg", "../a.html", "../layers.csv", "../a.parquet"):
        (results.folder / name).write_text("before")
    yield folder
    subprocess.run(["umount", disk], check=True)


def content(folder):
    """But for locks, which say who held them last."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_changes_nothing_and_is_named(command, disk):
    before = content(disk)
    state = os.statvfs(disk / "disk")
    ballast = disk / "disk/ballast"
    ballast.write_bytes(bytes(state.f_bavail * state.f_bsize))
    ran = subprocess.run(
        [sys.executable, "-m", "winit", *COMMANDS[command]],
        cwd=disk,
        capture_output=True,
        text=True,
        timeout=120,
    )
    ballast.unlink()
    assert ran.returncode == 1, ran.stdout + ran.stderr
    last = ran.stderr.splitlines()[-1]
    assert "No space left on device" in last
    assert "disk/" in last
    assert "make room" in last
    assert "Traceback" not in ran.stderr
    assert content(disk) == before
