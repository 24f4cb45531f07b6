"""Summary, tables, figures and report from a small results folder."""

import copy
import csv
import json
import math
import re
import statistics
import xml.etree.ElementTree as ET

import pyarrow.parquet as pq
import pytest
import vl_convert
from samples import TINY, make_results, tiny
from scipy import stats

from winit.errors import WinitError
from winit.findings import charts, notes, training_charts
from winit.findings.claims import CLAIMS
from winit.findings.claims.tested import write_claims
from winit.findings.database import Database
from winit.findings.figures import save_figures
from winit.findings.predictions import write_theory
from winit.findings.report import write_report
from winit.findings.summary import summarize
from winit.sweep.config import Config
from winit.sweep.schema import SUMMARY


def make_findings(folder, config):
    """Results with theory and summary."""
    results = make_results(folder, config)
    write_theory(results)
    summarize(results)
    return results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_findings(tmp_path_factory.mktemp("results"), tiny())


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One cell: one seed, one layer."""
    config = tiny(initializer="he_normal", activation="relu", depth=1, width=8, seed=3)
    return make_findings(tmp_path_factory.mktemp("one"), config)


def test_the_summary_has_a_row_for_each_network(results):
    summary = pq.read_table(results.summary)
    assert summary.schema.equals(SUMMARY, check_metadata=True)
    assert summary.num_rows == 4 * 2 * 2 * 2
    assert set(summary["seeds"].to_pylist()) == {3}


def test_means_errors_and_intervals_are_students(results):
    where = "initializer = 'he_normal' AND activation = 'relu' AND depth = 4 AND width = '16'"
    database = Database(results.folder)
    values = [v for (v,) in database.sql(f"SELECT g_std_ratio FROM cells WHERE {where}").fetchall()]
    (row,) = database.sql(f"SELECT * FROM summary WHERE {where}").to_arrow_table().to_pylist()
    error = statistics.stdev(values) / math.sqrt(3)
    low, high = stats.t.interval(0.95, 2, statistics.mean(values), error)
    assert row["g_std_ratio_mean"] == pytest.approx(statistics.mean(values))
    assert row["g_std_ratio_se"] == pytest.approx(error)
    assert (row["g_std_ratio_low"], row["g_std_ratio_high"]) == pytest.approx((low, high))


def test_the_verdict_is_the_most_frequent_one_and_says_how_many_agree(results):
    for row in pq.read_table(results.summary).to_pylist():
        verdicts = [
            v
            for (v,) in Database(results.folder)
            .sql(
                f"SELECT verdict FROM cells WHERE initializer = '{row['initializer']}' AND depth ="
                f" {row['depth']} AND activation = '{row['activation']}' AND width = '{row['width']}'"
            )
            .fetchall()
        ]
        assert verdicts.count(row["verdict"]) == row["agreeing"]
        assert row["agreeing"] == max(verdicts.count(v) for v in verdicts)


def test_one_seed_has_a_mean_and_no_interval(one):
    (row,) = pq.read_table(one.summary).to_pylist()
    assert row["h_std_ratio_mean"] == 1.0
    assert row["h_std_ratio_se"] is row["h_std_ratio_low"] is row["h_std_ratio_high"] is None


def test_the_tables_say_the_same_as_the_parquet(results):
    summary = pq.read_table(results.summary)
    with (results.tables / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == summary["verdict"].to_pylist()
    assert float(rows[5]["g_std_ratio_mean"]) == summary["g_std_ratio_mean"][5].as_py()
    lines = (results.tables / "summary.md").read_text().splitlines()
    assert len(lines) == 2 + summary.num_rows


def test_a_note_table_whose_cells_are_not_in_the_grid_says_what_it_needs(results):
    page = (results.tables / "notes.md").read_text()
    assert page.count("Not in the grid: it needs") == 3


def test_every_chart_is_drawn_for_every_activation(results):
    save_figures(results)
    names = {path.stem for path in results.figures.iterdir()}
    assert names == {
        *(f"{c.name}-{a}" for c in charts.CHARTS for a in ("tanh", "relu")),
        *(f"training-curves-digits-{a}-learning_rate={r}" for a in ("tanh", "relu") for r in (0.1, 1000.0)),
        "training-verdicts",
    }
    for name in names:
        assert (results.figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        root = ET.parse(results.figures / f"{name}.svg").getroot()  # noqa: S314 - our own file
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 5


def test_the_histogram_chart_draws_what_was_counted(results):
    network = charts.Network("tanh", 4, "16")
    (chart,) = [c for c in charts.CHARTS if c.name == "histograms"]
    bars = chart.draw(Database(results.folder), network).to_dict()["data"]["values"]
    zero = [bar for bar in bars if bar["initializer"] == "zeros"]
    assert {(bar["low"], bar["share"]) for bar in zero} == {(0.0, 1.0)}
    assert {bar["layer"] for bar in bars} == {1, 2, 3, 4}


def test_cells_of_different_probes_are_never_drawn_as_one(tmp_path):
    grid = TINY["grids"][0]
    other = grid | {"probe": {"bias_std": 0.5, "input": "uint8"}}
    make_findings(tmp_path, Config.checked(TINY | {"grids": [grid, other]}, "test"))
    database = Database(tmp_path)
    names = {figure.name for figure in charts.figures(database)}
    # What most cells have goes without saying; of two that are equally frequent, the first by name.
    assert {"signal-tanh", "signal-tanh-input=uint8-bias_std=0.5"} <= names
    # The phase diagram is of the activation, whatever the probe.
    assert len(names) == (2 * len(charts.CHARTS) - 1) * 2
    rows = charts.verdict_map(database).to_dict()["data"]["values"]
    places = [(row["initializer"], row["activation"], row["network"]) for row in rows]
    assert len(places) == len(set(places)) == 2 * 4 * 2 * 2 * 2
    assert "1 × 12-4, input=uint8, bias_std=0.5" in {network for *_, network in places}


def test_charts_survive_one_cell_and_nothing_positive(one, tmp_path):
    save_figures(one)
    assert list(one.figures.iterdir())
    dead = make_findings(tmp_path, tiny(initializer="zeros", activation="relu", seed=[0]))
    save_figures(dead)
    write_report(dead)


def test_networks_of_one_initializer_are_drawn_where_there_is_no_other(tmp_path):
    data = copy.deepcopy(TINY) | {"training": None}
    data["grids"][0] |= {"seed": 0, "width": 8, "activation": "tanh"}
    data["grids"].append(data["grids"][0] | {"initializer": "constant(1.5)", "activation": "identity"})
    both = make_results(tmp_path / "both", Config.checked(data, "test"))
    names = {figure.name for figure in charts.figures(Database(both.folder))}
    assert "signal-tanh" in names
    assert "signal-identity" not in names
    data["grids"] = data["grids"][1:]
    alone = make_results(tmp_path / "alone", Config.checked(data, "test"))
    assert "signal-identity" in {figure.name for figure in charts.figures(Database(alone.folder))}


@pytest.mark.parametrize("training", ["none", "failed"])
def test_figures_and_report_do_without_training(training, tmp_path):
    own = tmp_path / "own.py"
    own.write_text("def fail(layer):\n    assert layer.depth == 2\n    return 0 * layer.standard('normal')\n")
    data = copy.deepcopy(TINY)
    data["grids"][0] |= {"seed": 0, "width": 8, "activation": "tanh"}
    (grid,) = data["training"]["grids"]
    runs = [] if training == "none" else [grid | {"initializer": f"{own}:fail", "depth": 3}]
    data["training"]["grids"] = runs
    results = make_findings(tmp_path / "results", Config.checked(data, "test"))
    database = Database(results.folder)
    failed = database.sql("SELECT count(*) FROM training_runs WHERE status = 'failed'").fetchall()
    assert failed == [(0,)] if training == "none" else [(8,)]
    assert database.sql("SELECT count(*) FROM training").fetchall() == [(0,)]
    save_figures(results)
    write_claims(results)
    write_report(results)
    assert "Loss and accuracy" not in results.report.read_text()


def test_the_report_is_one_file_that_asks_for_nothing(results):
    write_report(results)
    page = results.report.read_text().replace(vl_convert.javascript_bundle(), "")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", page)
    specifications = json.loads(re.search(r"const specifications = (.*);\n", page).group(1))
    assert set(specifications) == {
        "answer",
        *(f.name for f in charts.figures(Database(results.folder))),
        *(f.name for f in training_charts.figures(Database(results.folder))),
    }
    for name in specifications:
        assert f'id="{name}"' in page
    verdicts = {row["verdict"] for row in specifications["answer"]["data"]["values"]}
    assert "symmetric" in verdicts
    assert page.count("not tested</td>") == len(CLAIMS)


def test_queries_see_the_views_and_nothing_else(results, tmp_path):
    database = Database(results.folder)
    assert database.sql("SELECT count(*) FROM cells").fetchall() == [(96,)]
    assert database.sql("FROM layers SELECT max(layer)").fetchall() == [(4,)]
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for query, words in (
        ("SELECT * FROM cels", "Did you mean"),
        (f"SELECT * FROM '{tmp_path}/secret.csv'", "Permission"),
        (f"COPY cells TO '{tmp_path}/out.csv'", "only one query that reads"),
        ("CREATE TABLE a AS SELECT 1", "only one query that reads"),
        ("SELECT 1; SELECT 2", "only one query that reads"),
        ("", "only one query that reads"),
        ("SELEC", "syntax error"),
    ):
        with pytest.raises(WinitError, match=words):
            database.sql(query)


def test_a_folder_without_results_is_an_error_that_names_the_mend(tmp_path):
    with pytest.raises(WinitError, match="snakemake"):
        Database(tmp_path)


@pytest.mark.parametrize("note", notes.NOTE_TABLES, ids=lambda note: note.initializer)
def test_the_stds_of_the_notes_are_met_within_three_percent(note, tmp_path):
    config = tiny(
        initializer=note.initializer,
        activation=notes.ACTIVATION,
        depth=notes.DEPTH,
        width=notes.WIDTH,
        seed={"count": 3},
        probe={"batch": notes.BATCH, "histograms": False},
    )
    database = Database(make_results(tmp_path, config).folder)
    ours = notes.measured(database, note)
    assert len(ours) == notes.DEPTH
    rounding = 0.5 * 10**-notes.DECIMALS
    for (_, mean, _, std, _), note_mean, note_std in zip(ours, note.mean, note.std, strict=True):
        assert std == pytest.approx(note_std, rel=0.03, abs=rounding)
        # A mean over 500,000 activations with 500 random units: of the size of std / √500 at most.
        assert abs(mean - note_mean) < 5 * note_std / math.sqrt(500) + rounding
