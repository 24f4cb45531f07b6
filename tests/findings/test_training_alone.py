"""Results of training alone: every step takes them, and what there is none of is said in a line."""

import copy
import re

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from samples import RUNS, TINY, make_findings

from winit.cli import main
from winit.errors import WinitError
from winit.findings.choice import Choice, chosen
from winit.findings.claims import CLAIMS
from winit.findings.claims.tested import write_claims
from winit.findings.database import OF_CELLS, Database
from winit.findings.figures import save_figures
from winit.findings.report import write_report
from winit.findings.summary import TABLES, summarize
from winit.findings.tables import FORMATS
from winit.sweep.config import Config
from winit.sweep.schema import VIEWS

ALONE = TINY | {"grids": []}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    results = make_findings(folder, Config.checked(ALONE | {"results": str(folder)}, "test"))
    write_claims(results)
    save_figures(results)
    write_report(results)
    return results


def invoked(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize("view", OF_CELLS)
def test_a_query_on_cells_is_refused_in_a_line_that_says_what_there_is(view, results):
    with pytest.raises(WinitError) as raised:
        Database(results.folder).sql(f"FROM {view}")
    assert str(raised.value) == (
        f"there is no {view}: these results are of training alone, without cells"
        " (the views here: training, training_runs, claims)"
    )


def test_views_that_are_there_are_those_of_training(results):
    database = Database(results.folder)
    assert database.trains_alone
    assert set(database.views) == set(VIEWS) - set(OF_CELLS)
    assert not database.missing
    assert database.count("FROM training_runs") == RUNS
    listed = invoked("query", "--schema", "--results", results.folder).output
    for view in OF_CELLS:
        assert re.search(rf"^{view} +none ", listed, re.MULTILINE)
    assert re.search(rf"^claims +{len(CLAIMS)} ", listed, re.MULTILINE)


def test_the_tables_are_those_of_training(results):
    assert {path.stem for path in results.tables.iterdir()} == {"claims"}
    for path in (results.cells, results.theory, results.summary):
        assert pq.read_table(path).num_rows == 0
    for name in ("status", "plan"):
        shown = invoked(name, "--config", results.config)
        assert shown.exit_code == 0, shown.output
    assert invoked("summarize", "--results", results.folder).exit_code == 0


def test_the_figures_are_those_of_training(results):
    assert {path.stem.partition("-")[0] for path in results.figures.iterdir()} == {"training", "curves"}
    with pytest.raises(WinitError, match="there is no cells: these results are of training alone"):
        chosen(Database(results.folder), Choice(depth=(2,)))


def test_the_report_has_no_empty_section(results):
    page = results.report.read_text()
    body = page[page.index("<main>") : page.index("</main>")]
    assert re.findall("<h2[^>]*>(.*?)</h2>", body) == ["Training", "How it was made"]
    assert re.findall('<li><a href="#(.*?)"', page) == re.findall('<h2 id="(.*?)"', body)
    assert f"<p>{RUNS} training runs; 0 failed." in page
    assert 'href="#compare"' not in page
    assert "not tested" not in body


def test_claims_about_training_are_shown_and_others_are_not(tmp_path):
    """A network that claims speak of, for a few steps."""
    data = copy.deepcopy(ALONE)
    grid = {"initializer": ["zeros", "lecun_normal"], "activation": "tanh", "depth": [0, 1], "width": 64}
    data["training"]["grids"] = [grid | {"learning_rate": 0.1, "seed": [0, 1]}]
    data["training"]["task"] = {"steps": 200}
    results = make_findings(tmp_path, Config.checked(data, "test"))
    tested = write_claims(results)
    count = sum(verdict != "not tested" for verdict in tested["verdict"].to_pylist())
    assert 0 < count < len(CLAIMS)
    write_report(results)
    page = results.report.read_text()
    assert page.count('<td class="verdict ') == count
    assert "The tables of the notes" not in page
    assert "<h4" in page  # the evidence


def test_tables_of_cells_that_were_there_are_taken_away(tmp_path):
    make_findings(tmp_path, Config.checked(TINY, "test"))
    results = make_findings(tmp_path, Config.checked(ALONE, "test"))
    # As where the config of a folder is changed: the new ones lie over the old.
    for name in TABLES:
        for ending in FORMATS:
            (results.tables / f"{name}.{ending}").write_bytes(b"")
    summarize(results)
    assert not list(results.tables.iterdir())


@pytest.mark.parametrize("training", [None, {"grids": []}])
def test_a_config_of_nothing_is_refused_with_the_mend(training):
    with pytest.raises(WinitError, match=r"there is nothing to compute; give a grid in `grids`"):
        Config.checked({"grids": [], "training": training}, "test")
