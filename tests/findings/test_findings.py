"""Summary, tables and queries from a small results folder."""

import csv
import math
import statistics

import pyarrow.parquet as pq
import pytest
from samples import make_findings, make_results, tiny
from scipy import stats

from winit.errors import WinitError
from winit.findings import notes
from winit.findings.database import Database
from winit.sweep.schema import SUMMARY


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
    assert summary.schema.with_metadata(None).equals(SUMMARY, check_metadata=True)
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


def test_the_size_of_the_output_is_averaged_and_stands_beside_theory(results):
    database = Database(results.folder)
    of_cells = "SELECT cell_id, y_std FROM cells ORDER BY ALL"
    of_layers = "SELECT cell_id, y_std FROM layers WHERE layer = depth ORDER BY ALL"
    assert database.sql(of_cells).fetchall() == database.sql(of_layers).fetchall()
    assert database.count("FROM layers WHERE layer < depth AND y_std IS NOT NULL") == 0
    rows = database.sql("""SELECT s.y_std_mean, m.y_std, s.y_std_predicted, t.y_std FROM summary s
        JOIN (SELECT initializer, activation, depth, width, avg(y_std) AS y_std FROM cells GROUP BY ALL) m
            USING (initializer, activation, depth, width)
        JOIN theory t USING (initializer, activation, depth, width) WHERE t.layer = t.depth""").fetchall()
    assert len(rows) == 4 * 2 * 2 * 2
    for mean, expected, predicted, of_theory in rows:
        assert mean == pytest.approx(expected)
        assert predicted == of_theory is not None


def test_the_tables_say_the_same_as_the_parquet(results):
    summary = pq.read_table(results.summary)
    with (results.tables / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == summary["verdict"].to_pylist()
    assert float(rows[5]["g_std_ratio_mean"]) == summary["g_std_ratio_mean"][5].as_py()
    page = (results.tables / "summary.md").read_text()
    sections = page.split("\n## ")[1:]
    assert [section.split("\n")[0] for section in sections] == ["relu", "tanh"]
    # A heading and a rule above the rows of each.
    assert page.count("\n|") == summary.num_rows + 2 * len(sections)


def test_a_note_table_whose_cells_are_not_in_the_grid_says_what_it_needs(results):
    page = (results.tables / "notes.md").read_text()
    assert page.count("Not in the grid: it needs") == 3


def test_queries_see_the_views_and_nothing_else(results, tmp_path):
    database = Database(results.folder)
    assert database.sql("SELECT count(*) FROM cells").fetchall() == [(96,)]
    assert database.sql("FROM layers SELECT max(layer)").fetchall() == [(4,)]
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for query, words in (
        ("SELECT * FROM cels", "did you mean 'cells'"),
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
