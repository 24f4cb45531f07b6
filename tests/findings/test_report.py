"""The report: one file, whole, that asks for nothing. A browser drives it in the system tests."""

import copy
import json
import re
from html.parser import HTMLParser

import pytest
import vl_convert
from samples import TINY, make_findings, tiny

from winit.findings import charts, training_charts
from winit.findings.claims import CLAIMS
from winit.findings.claims.tested import write_claims
from winit.findings.database import Database
from winit.findings.layer_charts import LAYER_CHARTS
from winit.findings.networks import NUMBERED
from winit.findings.profiles import as_text, profiles
from winit.findings.ranking import answers_of
from winit.findings.report import write_report
from winit.sweep.config import Config


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    results = make_findings(tmp_path_factory.mktemp("results"), tiny())
    write_report(results)
    return results


@pytest.fixture(scope="module")
def page(results):
    return results.report.read_text()


def script(page, name):
    return re.search(rf'<script type="[^"]*" id="{name}">(.*?)</script>', page, re.DOTALL).group(1)


def test_it_is_one_file_that_asks_for_nothing(page):
    rest = page.replace(vl_convert.javascript_bundle(), "")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", rest)
    assert "default-src 'none'" in rest


def test_every_figure_is_in_it(page, results):
    database = Database(results.folder)
    named = [*charts.phases(database), *training_charts.figures(database)]
    assert named
    for figure in named:
        assert json.loads(script(page, f"spec-{figure.name}")) == json.loads(json.dumps(figure.definition))
        assert f'id="{figure.name}"' in page
    data = json.loads(script(page, "report-data"))
    assert [chart["name"] for chart in data["charts"]] == [chart.name for chart in LAYER_CHARTS]
    assert set(data["figures"]) == {figure.name for figure in named}


def test_every_network_is_in_it_with_its_profile(page, results):
    database = Database(results.folder)
    data = json.loads(script(page, "report-data"))["networks"]
    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
    expected = database.sql(
        "SELECT initializer, activation, depth, width, verdict, agreeing FROM summary ORDER BY ALL"
    ).fetchall()
    keys = ("initializer", "activation", "depth", "width", "verdict", "agreeing")
    assert sorted(tuple(row[key] for key in keys) for row in rows) == expected
    lines = script(page, "report-profiles").split("\n")
    assert len(lines) == len(rows)
    for number, profile in profiles(database, NUMBERED):
        assert lines[number] == as_text(profile)


def test_the_answers_are_the_ranking(page, results):
    answers = answers_of(Database(results.folder)).to_pylist()
    assert {answer["initializers"] for answer in answers} == {4}
    body = re.search(r'<table id="answers">.*?<tbody>(.*?)</tbody>', page, re.DOTALL).group(1)
    rows = re.findall(r"<tr data-place=.*?</tr>", body, re.DOTALL)
    assert len(rows) == len(answers) == 2 * 2 * 2
    for row, answer in zip(rows, answers, strict=True):
        assert f"{answer['best']}</td>" in row
        assert ("none is healthy" in row) == (answer["healthy"] == 0)
        assert f"{answer['healthy']} of {answer['initializers']}" in row
        tied = answer["tied"]
        for name in tied[:4]:
            assert name in row
        assert (f"and {len(tied) - 4} more" in row) == (len(tied) > 4)


def test_every_claim_is_in_it(page):
    assert page.count("not tested</td>") == len(CLAIMS)


class Outline(HTMLParser):
    """What a screen reader goes by."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.headings, self.controls, self.named = [], [], [], set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        for name in ("aria-labelledby", "aria-describedby"):
            self.named |= set((attributes.get(name) or "").split())
        if attributes.get("role") == "img":
            self.controls.append(attributes)


def test_headings_and_names_are_in_order(page):
    outline = Outline(page)
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.named <= set(outline.ids)
    assert outline.headings[0] == 1
    assert all(
        after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False)
    )
    assert all("aria-labelledby" in chart for chart in outline.controls)


@pytest.mark.parametrize("training", ["none", "failed"])
def test_the_report_does_without_training(training, tmp_path):
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
    write_claims(results)
    write_report(results)
    page = results.report.read_text()
    assert "Loss and accuracy" not in page
    assert 'href="#training-networks"' not in page
    assert ("8 of the cells and runs failed" in page) == (training == "failed")


def test_labels_cannot_leave_the_script_that_they_stand_in(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("def odd(layer, name='</script><b>&\"'):\n    return layer.standard('normal') / 4\n")
    odd = f"{own}:odd(name='</script><script>alert(1)')"
    results = make_findings(tmp_path / "results", tiny(initializer=odd, activation="tanh", seed=0))
    write_report(results)
    page = results.report.read_text()
    assert "alert(1)" in page
    assert "<script>alert(1)" not in page
    (label,) = {row[1] for row in json.loads(script(page, "report-data"))["networks"]["rows"]}
    assert "</script>" in label
