"""The whole job through Snakemake, as a user runs it, and the results as an analyst reads them."""

import json
import re
import subprocess
import sys

import duckdb
import polars as pl
import pytest
import yaml
from projects import snakemake, tiny_project
from samples import TINY

# One activation, since each has figures of its own, and drawing is what takes longest.
GRID, RUN_GRID = ({**grids[0], "activation": "relu"} for grids in (TINY["grids"], TINY["training"]["grids"]))
CONFIG = TINY | {"grids": [GRID], "training": TINY["training"] | {"grids": [RUN_GRID]}}
CELLS, RUNS = 4 * 2 * 2 * 3, 2 * 2 * 2 * 2


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The workflow's files, with a tiny grid as the default config, after one run."""
    folder = tiny_project(tmp_path_factory.mktemp("project"), CONFIG)
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_a_run_makes_all_that_it_promises(project):
    for name in (
        "config.yaml",
        "plan.parquet",
        "cells.parquet",
        "summary.parquet",
        *(
            f"tables/{name}.{ending}"
            for name in ("summary", "answers", "ranking", "theory", "notes", "claims")
            for ending in ("parquet", "csv", "md", "tex")
        ),
        "training.parquet",
        "training_runs.parquet",
        "claims.parquet",
        "figures/training.svg",
        "figures/std-relu-depth=4-width=16.svg",
        "figures/histograms-relu-depth=4-width=16.png",
        "report.html",
        "status.txt",
    ):
        assert (project / "results" / name).stat().st_size > 0, name
    header, _, *counts = (project / "results/status.txt").read_text().splitlines()
    assert header.split()[:4] == ["planned", "done", "missing", "failed"]
    assert [line.split() for line in counts] == [
        ["cells", f"{CELLS}", f"{CELLS}", "0", "0", "–"],
        ["runs", f"{RUNS}", f"{RUNS}", "0", "0", "–"],
    ]


def test_the_report_of_snakemake_has_the_figures_with_captions_and_labels(project):
    made = snakemake(project, "--report", "of-snakemake.html")
    assert made.returncode == 0, made.stderr
    page = (project / "of-snakemake.html").read_text()
    named = re.findall(r'"labels": ({[^}]*"figure"[^}]*})', page)
    labels = {tuple(json.loads(each).values()) for each in named}
    assert {
        ("std", "relu-depth=4-width=16"),
        ("gradient magnitudes", "relu-depth=4-width=16"),
        ("verdicts", "all networks"),
    } <= labels
    for words in ("Standard deviation of each layer", "paler where seeds disagree"):
        assert words in page


def test_duckdb_and_polars_read_the_same(project):
    sql = """SELECT initializer, activation, layer, avg(h_std) AS h_std, sum(h_magnitude[1]) AS zeros
        FROM 'results/layers/*.parquet' GROUP BY ALL ORDER BY ALL"""
    with duckdb.connect(config={"home_directory": str(project)}) as database:
        left = database.sql(sql.replace("results/", f"{project}/results/")).fetchall()
    right = (
        pl.scan_parquet(project / "results/layers/*.parquet")
        .with_columns(pl.col("initializer", "activation").cast(pl.String))
        .group_by("initializer", "activation", "layer")
        .agg(
            pl.col("h_std").mean(),
            pl.col("h_magnitude").list.get(0).cast(pl.Int64).sum().alias("zeros"),
        )
        .sort("initializer", "activation", "layer")
        .collect()
    )
    assert len(left) == 4 * 5
    assert [row[:3] for row in left] == right.select("initializer", "activation", "layer").rows()
    assert [row[3] for row in left] == pytest.approx(right["h_std"].to_list())
    assert [row[4] for row in left] == right["zeros"].to_list()


def test_a_second_run_does_nothing(project):
    run = snakemake(project)
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout + run.stderr


def test_training_alone_runs_as_a_whole(tmp_path):
    folder = tiny_project(tmp_path, CONFIG | {"grids": []})
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    results = folder / "results"
    assert {path.stem for path in (results / "tables").iterdir()} == {"claims"}
    assert {path.stem.partition("-")[0] for path in (results / "figures").glob("*.svg")} == {
        "training",
        "curves",
    }
    assert f"{RUNS} training runs; 0 failed" in (results / "report.html").read_text()
    counts = [line.split() for line in (results / "status.txt").read_text().splitlines()[2:]]
    assert counts == [["cells", "0", "0", "0", "0", "–"], ["runs", f"{RUNS}", f"{RUNS}", "0", "0", "–"]]
    with duckdb.connect() as database:
        layers = database.sql(f"SELECT count(*) FROM '{results}/layers/*.parquet'").fetchall()
    assert layers == [(0,)]
    again = snakemake(folder)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_an_error_in_the_config_reads_as_from_winit_and_starts_nothing(project, tmp_path):
    bad = CONFIG | {"grids": [GRID | {"initializer": ["he_norml"], "depth": [-1]}]}
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(bad))
    before = sorted((path, path.stat().st_mtime_ns) for path in (project / "results").rglob("*"))
    run = snakemake(project, "--configfile", str(tmp_path / "bad.yaml"))
    assert run.returncode == 2
    direct = subprocess.run(
        [sys.executable, "-m", "winit", "plan", "--config", str(tmp_path / "bad.yaml")],
        capture_output=True,
        text=True,
        cwd=project,
    )
    assert direct.returncode == 2
    for error in direct.stderr.splitlines()[1:]:
        assert error in run.stderr
    assert "did you mean 'he_normal'?" in direct.stderr
    assert "grids[0].depth[0]" in direct.stderr
    assert "Traceback" not in run.stderr + direct.stderr
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (project / "results").rglob("*"))


def test_a_grid_larger_than_allowed_starts_nothing_and_the_mend_is_named(project):
    run = snakemake(project, "--config", f"sweep={json.dumps({'max_cells': CELLS - 1})}")
    assert run.returncode == 2
    assert f"{CELLS} cells, more than sweep.max_cells" in run.stderr
    assert "raise it in the config" in run.stderr
    assert "Traceback" not in run.stderr
