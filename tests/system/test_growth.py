"""Another config in a folder with results: what is there is kept, and what does not belong is made anew."""

import json
import subprocess
import sys

import polars as pl
import pytest
import yaml
from projects import computed, snakemake, tiny_project
from samples import GRID_SIZE, RUNS, TINY

from winit.sweep.config import Config


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The workflow's files, with the tables of cells and runs of a tiny grid."""
    folder = tiny_project(tmp_path_factory.mktemp("project"))
    run = snakemake(folder, "results/cells.parquet", "results/training_runs.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_growth_computes_the_new_cells_alone_and_shards_share_the_store(project):
    grown = json.dumps([TINY["grids"][0] | {"depth": [1, 4, 6]}])
    run = snakemake(
        project, "--config", f"grids={grown}", "--set-scatter", "shards=2", "--", "results/cells.parquet"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    shards = [json.loads(path.read_text()) for path in (project / "results/shards").glob("*-of-2.json")]
    assert len(shards) == 2
    assert sum(shard["cells"] for shard in shards) == GRID_SIZE * 3 // 2
    assert sum(shard["computed"] for shard in shards) == GRID_SIZE // 2
    cells = pl.read_parquet(project / "results/cells.parquet")
    assert len(cells) == cells["cell_id"].n_unique() == GRID_SIZE * 3 // 2


def test_growth_trains_the_new_runs_alone(project):
    grown = {"grids": [TINY["training"]["grids"][0] | {"learning_rate": [0.1, 0.2, 1e3]}]}
    run = snakemake(project, "results/training_runs.parquet", "--config", f"training={json.dumps(grown)}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert computed(project / "results/training") == RUNS // 2
    assert len(pl.read_parquet(project / "results/training_runs.parquet")) == RUNS * 3 // 2


def test_plans_that_are_damaged_or_not_of_this_config_are_made_anew(project):
    by_hand = project / "other.yaml"
    grid = TINY["grids"][0] | {"depth": 1, "seed": 0}
    by_hand.write_text(yaml.safe_dump({"grids": [grid]}))
    subprocess.run(
        [sys.executable, "-m", "winit", "plan", "--config", str(by_hand), "--write"], cwd=project, check=True
    )
    run = snakemake(project, "results/cells.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "results/config.yaml is damaged, or of another config; it is made anew" in run.stderr
    assert len(pl.read_parquet(project / "results/cells.parquet")) == GRID_SIZE
    assert computed(project / "results") == 0
    plan = project / "results/plan.parquet"
    whole = plan.read_bytes()
    plan.write_bytes(whole[: len(whole) // 2])
    run = snakemake(project, "results/plan.parquet")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "results/plan.parquet is damaged; it is made anew" in run.stderr
    assert plan.read_bytes() == whole
    dry = snakemake(project, "--dry-run", "results/plan.parquet")
    assert "Nothing to be done" in dry.stdout + dry.stderr


def test_a_config_longer_than_a_command_line_goes_through(project):
    seeds = [7 * seed for seed in range(30_000)]
    grid = TINY["grids"][0] | {"initializer": "zeros", "activation": "relu", "depth": 1, "width": 1}
    (project / "long.yaml").write_text(
        json.dumps(TINY | {"grids": [grid | {"seed": seeds}, grid | {"seed": {"count": 400_000}}]})
    )
    arguments = ("--configfile", "long.yaml", "--config", "results=long", "--", "long/config.yaml")
    run = snakemake(project, *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    made = Config.read(project / "long/config.yaml")
    assert [grid.seed for grid in made.grids] == [seeds, range(400_000)]


@pytest.mark.parametrize(
    ("results", "text", "word"),
    [
        ("-x", "", "begins with -"),
        ("a:b", "", "has : in it"),
        ("Snakefile/results", "", "Snakefile is no folder"),
        ("results", "probe: {batch: 3}\nprobe: {batch: 4}", "the key 'probe' is given twice"),
        ("results", "b: &b [*b]", "holds itself"),
    ],
)
def test_what_no_step_can_take_starts_nothing(project, tmp_path, results, text, word):
    (tmp_path / "my.yaml").write_text(text or "{}")
    before = sorted(project.iterdir())
    run = snakemake(project, "--configfile", str(tmp_path / "my.yaml"), "--config", f"results={results}")
    assert run.returncode in {1, 2}
    assert word in run.stderr
    assert "Traceback" not in run.stderr
    assert before == sorted(project.iterdir())
