"""Labels that a query writes as a config may: a hint names the one of the tables, and the answer stays."""

import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from samples import make_results, tiny

import winit
from winit.cli import main
from winit.findings.spelling import Hints, hints, texts_in
from winit.network.activations import ACTIVATIONS, activation
from winit.network.datasets import DATASETS, dataset
from winit.network.initializers import INITIALIZERS, initializer
from winit.network.inputs import INPUTS, input_of

MADE = (
    (INITIALIZERS, lambda label: initializer(label, ())),
    (ACTIVATIONS, lambda label: activation(label, ())),
    (INPUTS, input_of),
    (DATASETS, dataset),
)
# Every name in the catalogue, with the label that the tables have for it.
NAMES = {
    name + (getattr(entry, "example", None) or "").removeprefix(entry.name): make(
        name + (getattr(entry, "example", None) or "").removeprefix(entry.name)
    ).label
    for catalogue, make in MADE
    for entry in catalogue.values()
    for name in (entry.name, *entry.aliases)
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    grid = {"initializer": ["constant(0.1)", "he_normal"], "activation": ["relu", "leaky_relu(0.2)"]}
    folder = tmp_path_factory.mktemp("results")
    make_results(folder, tiny(**grid, depth=1, width=[8, "8-4"], seed=0))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_catalogue_leads_to_the_label_of_the_tables(name):
    label = NAMES[name]
    for spelling in (name, f" {name} ", f"{name}\n", name.upper(), name.capitalize()):
        if spelling == label:
            assert hints([spelling], {label}) == Hints()
        else:
            (line,) = hints([spelling], {label}).certain
            assert line.endswith(f"; write {label!r}, as they do")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("constant(0.1)", "constant(value=0.1)"),
        ("constant( value = 0.10 )", "constant(value=0.1)"),
        ("leaky_relu(0.2)", "leaky_relu(negative_slope=0.2)"),
        ("leaky_relu(negative_slope=0.01)", "leaky_relu"),
        ("nn.ReLU()", "relu"),
        ("torch.nn.init.xavier_normal_", "torch.xavier_normal"),
        ("8 - 4", "8-4"),
        ("Healthy", "healthy"),
        (" mine.py:ring(gain=2.0) ", "mine.py:ring(gain=2.0)"),
    ],
)
def test_another_spelling_is_told_whether_the_tables_have_the_label_or_not(text, label):
    assert hints([text], {label}).certain == [f"no table has {text!r}; write {label!r}, as they do"]
    if text[0].isalpha() and label != "healthy":
        (line,) = hints([text], {"zeros"}).certain
        assert f"nor {label!r}, as they would write it" in line


@pytest.mark.parametrize("text", ["he_normal", "elephant", "", " ", "%d", "he%", "a" * 1000, "f(", "x:y(1)"])
def test_of_other_texts_nothing_is_said(text):
    assert hints([text], {"he_normal", "relu"}) == Hints()


def test_what_is_only_near_is_a_guess():
    found = hints(["he_norml"], {"he_normal", "relu"})
    assert found == Hints([], ["no table has 'he_norml'; did you mean 'he_normal'?"])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), unique=True))
def test_the_texts_of_a_query_are_those_in_quotation_marks(texts):
    listed = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
    query = f"SELECT [{listed}] -- 'a'\nFROM cells /* 'b' */ WHERE \"initializer\" = E'c'"
    assert texts_in(query) == texts
    assert texts_in(f"SELECT [{listed}] AS it") == []


QUERIES = (
    "SELECT count(*) FROM cells WHERE activation = '{}'",
    "FROM layers WHERE activation IN ('{}', 'tanh')",
    "WITH a AS (FROM cells WHERE activation = '{}') SELECT count(*) FROM a",
    "PIVOT (SELECT seed, activation = '{}' AS it FROM cells) ON it USING count(*)",
    "EXPLAIN FROM cells WHERE activation = '{}'",
)


@pytest.mark.parametrize("query", QUERIES)
def test_the_hint_comes_beside_the_answer(query, folder):
    def ask(label, *options, **settings):
        return CliRunner().invoke(main, ["query", "--results", str(folder), *options], **settings)

    for options in (["-"], ["-", "--format", "csv"]):
        there = ask("relu", *options, input=query.format("relu"))
        written = ask("ReLU", *options, input=query.format("ReLU"))
        assert there.stderr == ""
        assert written.stderr == "winit: no table has 'ReLU'; write 'relu', as they do\n"
        assert written.exit_code == there.exit_code == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        database = winit.open_results(folder)
        answer = database.sql(query.format("ReLU"))
        if "EXPLAIN" not in query:
            assert answer.fetchall() == database._connection.sql(query.format("ReLU")).fetchall()


def test_python_warns_where_the_query_is(folder):
    database = winit.open_results(folder)
    with pytest.warns(UserWarning, match="write 'constant\\(value=0.1\\)', as they do") as warned:
        database.sql("FROM cells WHERE initializer = 'constant(0.1)'")
    with pytest.warns(UserWarning, match="did you mean 'he_normal'") as guessed:
        assert database.sql("FROM cells WHERE initializer = 'he_norml'").fetchall() == []
    assert {warning.filename for warning in (*warned, *guessed)} == {__file__}
    with warnings.catch_warnings(action="error"):
        database.sql("SELECT count(*) FROM cells WHERE initializer = 'he_norml'")  # which gives a row
        database.count("FROM cells WHERE initializer = 'constant(0.1)'")


def test_an_empty_answer_is_told_the_nearest_label(folder):
    def said(query, format_):
        arguments = ["query", "--results", str(folder), query, "--format", format_]
        return CliRunner().invoke(main, arguments).stderr

    for format_ in ("table", "csv", "json", "md"):
        near = "winit: no table has 'he_norml'; did you mean 'he_normal'?\n"
        assert said("FROM cells WHERE initializer = 'he_norml'", format_) == near
        assert said("FROM cells WHERE initializer <> 'he_norml'", format_) == ""


def test_no_code_runs_for_a_hint(folder, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("open('ran', 'w').close()\ndef ring(layer, gain=1.0): ...\n")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(action="error"):
        database = winit.open_results(folder)
        for label in ("mine.py:ring(2)", " MINE.py:ring ", "mine:ring"):
            assert database.sql(f"FROM cells WHERE initializer = '{label}'").fetchall() == []
    assert not Path("ran").exists()
