"""What goes wrong in the workflow: damage is mended, failures are named, and the next run goes on."""

import json
import shutil

import polars as pl
import pytest
from projects import computed, snakemake, tiny_project
from samples import GRID_SIZE, TINY

from winit.sweep.store import Store


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A workflow's folder with the dataset of a tiny grid, which was swept in two runs."""
    folder = tiny_project(tmp_path_factory.mktemp("swept"))
    half = json.dumps([TINY["grids"][0] | {"depth": 1}])
    for config in (["--config", f"grids={half}"], []):
        run = snakemake(folder, "results/cells.parquet", *config)
        assert run.returncode == 0, run.stdout + run.stderr
    return folder


def part_in_use(results):
    """A part with some cells of the grid, and how many."""
    plan = pl.read_parquet(results / "plan.parquet")
    index = pl.from_arrow(Store(results / "parts").index()).join(plan, "cell_id", "semi")
    name = index["part"].sort()[0]
    cells = len(index.filter(pl.col("part") == name))
    assert 0 < cells < GRID_SIZE
    return results / "parts" / name, cells


def test_a_run_that_was_cut_off_goes_on_where_it_was(swept):
    results = swept / "results"
    part, lost = part_in_use(results)
    part.unlink()
    (results / "cells.parquet").unlink()
    for name in ("shards", "layers"):
        shutil.rmtree(results / name)
    run = snakemake(swept, "results/cells.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    assert computed(results) == lost


def test_a_damaged_part_is_computed_anew_by_the_next_run(swept):
    results = swept / "results"
    part, lost = part_in_use(results)
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 1
    part.write_bytes(content)
    again = ("results/cells.parquet", "--config", 'thresholds={"vanishing": 0.2}')
    first = snakemake(swept, *again)
    assert first.returncode == 1
    assert f"{lost} of {GRID_SIZE} planned cells are not in the store" in first.stderr
    assert (results / "parts/set-aside" / part.name).exists()
    second = snakemake(swept, *again)
    assert second.returncode == 0, second.stdout + second.stderr
    assert computed(results) == lost
    assert len(pl.read_parquet(results / "cells.parquet")) == GRID_SIZE


OWN = """
import pathlib
from winit import Law

def ones(layer):
    if layer.depth > 2 and pathlib.Path("broken").exists():
        raise ArithmeticError("no ones today")
    return Law("constant", mean=1.0)
"""


def test_cells_that_fail_are_named_at_the_end_and_tried_again_by_the_next_run(tmp_path):
    project = tiny_project(tmp_path)
    (project / "own.py").write_text(OWN)
    (project / "broken").touch()
    grid = TINY["grids"][0] | {"initializer": ["own.py:ones", "he_normal"], "activation": "tanh", "seed": [0]}
    train = TINY["training"]["grids"][0] | {"initializer": "own.py:ones", "depth": [0, 3], "seed": 0}
    training = json.dumps({"grids": [train], "task": TINY["training"]["task"]})
    arguments = ("--config", f"grids={json.dumps([grid])}", f"training={training}", "results=failing")
    run = snakemake(project, *arguments)
    assert run.returncode == 1
    assert "2 cells failed" in run.stderr
    assert "initializer own.py:ones, activation tanh, depth 4" in run.stderr
    assert "4 runs failed" in run.stderr
    assert "initializer own.py:ones, activation tanh, depth 3, width 8, learning_rate 0.1" in run.stderr
    assert "no ones today" in run.stderr
    cells = pl.read_parquet(project / "failing/cells.parquet")
    assert cells.group_by("status").len().sort("status").rows() == [("failed", 2), ("ok", 6)]
    report = (project / "failing/report.html").read_text()
    assert report.count("no ones today") == 6
    assert "own.py:ones, tanh, depth 3, width 8, seed 0, learning rate 1000" in report
    (project / "broken").unlink()
    manifests = [f"failing/{folder}shards/1-of-1.json" for folder in ("", "training/")]
    arguments = (*manifests, "failing/cells.parquet", "failing/training_runs.parquet", *arguments)
    run = snakemake(project, *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (computed(project / "failing"), computed(project / "failing/training")) == (2, 4)
    assert set(pl.read_parquet(project / "failing/cells.parquet")["status"].cast(pl.String)) == {"ok"}
    # An edited function is computed anew by the next run, and it alone.
    (project / "own.py").write_text(OWN.replace("mean=1.0", "mean=1.5"))
    arguments = [wanted for wanted in arguments if "training/" not in wanted and "runs" not in wanted]
    run = snakemake(project, *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (computed(project / "failing"), computed(project / "failing/training")) == (4, 4)
    assert snakemake(project, *arguments, "--dry-run").stdout.count("Nothing to be done") == 1
