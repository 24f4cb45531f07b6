"""docs/queries.md: each block runs as it stands, on results that hold what it asks for."""

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT
from samples import TINY, make_findings

from winit.findings.claims.tested import write_claims
from winit.findings.database import Database
from winit.findings.worked import answered, queries
from winit.sweep.config import Config

PAGE = (ROOT / "docs/queries.md").read_text(encoding="utf-8")
QUERIES = queries(PAGE)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


GRIDS = [
    {
        "initializer": ["he_normal", "lecun_normal", "normal(std=0.01)", "normal(std=1.0)"],
        "activation": ["tanh", "relu"],
        "depth": [10],
        "width": [500],
        "seed": {"count": 2},
        "probe": {"batch": 20},
    }
]
TRAINING = {
    "grids": [
        {
            "initializer": ["lecun_normal", "normal(std=0.01)"],
            "activation": "tanh",
            "depth": 10,
            "width": 64,
            "learning_rate": 0.1,
            "seed": 0,
        }
    ],
    "task": {"steps": 200, "batch": 16},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with results, made by the real steps."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "results").mkdir()
    config = Config.checked(TINY | {"grids": GRIDS, "training": TRAINING}, "test")
    results = make_findings(folder / "results", config)
    write_claims(results)
    return folder


def test_there_are_ten_or_more():
    assert len(QUERIES) >= 10
    assert PAGE.count("```sql") == len(QUERIES)


@pytest.mark.parametrize("sql", QUERIES)
def test_each_query_has_an_answer(sql, folder):
    assert Database(folder / "results").sql(sql).fetchall()


@pytest.mark.parametrize("sql", QUERIES)
def test_the_page_has_an_answer_with_the_columns_of_the_query(sql, folder):
    columns = Database(folder / "results").sql(sql).columns
    answer = PAGE[PAGE.index(sql) + len(sql) :].split("\n\n")[1]
    assert answer.splitlines()[0] == f"| {' | '.join(columns)} |"
    assert len(answer.splitlines()) > 2


def test_answering_the_page_changes_the_answers_alone(folder):
    """What is left when the tables are taken away is the same."""

    def without_tables(page):
        return re.sub(r"^\|.*\n", "", page, flags=re.MULTILINE)

    page = answered(PAGE, Database(folder / "results"))
    assert page != PAGE
    assert without_tables(page) == without_tables(PAGE)
    assert answered(page, Database(folder / "results")) == page


def fall(folder):
    """The answer that all ways must give: layer, measured, predicted."""
    return [row[:3] for row in Database(folder / "results").sql(QUERIES[1]).fetchall()]


@pytest.mark.parametrize(("number", "library"), [(0, "winit"), (1, "polars"), (2, "pandas")])
def test_python_gives_the_same(number, library, folder, monkeypatch):
    block = blocks("python")[number]
    assert f"import {library}" in block
    monkeypatch.chdir(folder)
    names = {}
    exec(block, names)  # noqa: S102 - the page's own block
    found = names["fall"]
    if library == "pandas":
        rows = list(found.reset_index().itertuples(index=False))
    else:
        rows = found.fetchall() if library == "winit" else found.rows()
    flat = [value for row in rows for value in row]
    assert flat == pytest.approx([value for row in fall(folder) for value in row], rel=1e-12)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_only_the_first_needs_winit(number, folder):
    """The blocks run in a Python that finds no winit."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    hidden = "import sys; sys.modules['winit'] = None\n"
    ran = subprocess.run(
        [sys.executable, "-c", hidden + blocks("python")[number]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_the_edges_of_a_histogram_stand_in_the_file(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = {}
    exec(blocks("python")[3], names)  # noqa: S102 - the page's own block
    assert names["edges"] == [-1.0, 1.0]


def test_the_duckdb_program_gives_the_same(folder):
    (block,) = blocks("sh")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", block], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    header, *rows = csv.reader(io.StringIO(ran.stdout))
    assert header == ["layer", "measured", "predicted"]
    flat = [float(value) for row in rows for value in row]
    assert flat == pytest.approx([value for row in fall(folder) for value in row], rel=1e-12)


def test_a_relation_goes_to_every_library(folder):
    relation = Database(folder / "results").sql("SELECT layer, h_std, h_histogram FROM layers ORDER BY ALL")
    arrow = relation.to_arrow_table().to_pylist()
    assert relation.pl().to_dicts() == arrow
    assert relation.df()["h_std"].tolist() == [row["h_std"] for row in arrow]
