"""Tables in four formats: programs lose no digit, people get few, and LaTeX gets nothing it chokes on."""

import csv
import json
import math
import re
import string

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from samples import make_findings, tiny

from winit.findings import latex, literal, tables
from winit.findings.answers import write_csv as write_answer
from winit.findings.claims import CLAIMS
from winit.findings.claims.tested import write_claims
from winit.findings.database import Answer, Database
from winit.findings.page import Label, Page, Section, Strong, interval
from winit.findings.summary import TABLES
from winit.network.activations import ACTIVATIONS
from winit.network.initializers import INITIALIZERS
from winit.sweep.schema import ANSWERS, RANKING

NAMES = (*TABLES, "claims")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    results = make_findings(tmp_path_factory.mktemp("results"), tiny())
    write_claims(results)
    return results


@pytest.mark.parametrize("name", NAMES)
def test_every_table_is_there_in_every_format(results, name):
    rows = pq.read_table(results.tables / f"{name}.parquet")
    with (results.tables / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert header == rows.column_names
    assert len(lines) == rows.num_rows
    page = (results.tables / f"{name}.md").read_text(encoding="utf-8")
    made = (results.tables / f"{name}.tex").read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert made.isascii()
    tables_of_page = len(re.findall(r"^\|-", page, re.MULTILINE))
    assert made.count("\\begin{longtable}") == tables_of_page
    # Beside its rows a table has two lines in Markdown, and three in LaTeX: caption and header twice.
    lines = len(re.findall(r"^\|", page, re.MULTILINE)) - 2 * tables_of_page
    assert len(re.findall(r"\\\\$", made, re.MULTILINE)) - 3 * tables_of_page == lines


def test_answers_and_ranking_are_views(results):
    database = Database(results.folder)
    for name, schema in (("answers", ANSWERS), ("ranking", RANKING)):
        assert database.sql(f"FROM {name}").columns == schema.names
        written = pq.read_schema(results.tables / f"{name}.parquet").with_metadata(None)
        assert written.equals(schema, check_metadata=True)
    best = database.sql("SELECT best FROM answers WHERE activation = 'relu' AND depth = 4").fetchall()
    assert set(best) == {("he_normal",)}


def test_copies_are_copies(results):
    for path in (results.summary, results.claims):
        assert pq.read_table(results.tables / path.name).equals(pq.read_table(path))


def test_ties_are_marked(results):
    ranks = [(row["activation"], row["rank"]) for row in pq.read_table(results.ranking).to_pylist()]
    shared = [rank for rank in ranks if ranks.count(rank) > 1]
    assert (results.tables / "ranking.md").read_text().count("(tie)") == len(shared) > 0


@pytest.mark.parametrize("what", ["one cell", "nothing finite", "all failed"])
def test_tables_survive(what, tmp_path):
    own = tmp_path / "own.py"
    own.write_text("def fail(layer):\n    assert layer.depth == 2\n    return 0 * layer.standard('normal')\n")
    grids = {
        "one cell": dict(initializer="he_normal", activation="relu", depth=1, width=8, seed=3),
        "nothing finite": dict(initializer="constant(value=1e30)", activation="relu", depth=[4, 5], width=8),
        "all failed": dict(initializer=[f"{own}:fail", f"{own}:fail2"], activation="tanh", depth=3, width=8),
    }
    own.write_text(own.read_text() + own.read_text().replace("fail(", "fail2("))
    results = make_findings(tmp_path / "results", tiny(**grids[what]))
    write_claims(results)
    answers = pq.read_table(results.answers).to_pylist()
    assert [row["drift"] for row in answers] == {
        "one cell": [0.0],
        "nothing finite": [None, None],
        "all failed": [None],
    }[what]
    verdict = {"one cell": "healthy", "nothing finite": "broken", "all failed": None}[what]
    assert {row["verdict"] for row in answers} == {verdict}
    first = pq.read_table(results.ranking).to_pylist()[0]
    assert (first["rank"], first["tied"]) == (1, what == "all failed")
    assert all(
        (results.tables / f"{name}.md").read_text().count("|") for name in ("answers", "ranking", "summary")
    )


def test_csv_has_every_digit_and_says_what_is_not_a_number(tmp_path):
    columns = {
        "number": [0.1 + 0.2, None, math.inf, -math.inf, math.nan, 1e-300],
        "numbers": [[0.1, None, math.inf], [], None, [-math.inf], [math.nan], [1.0]],
        "words": [["a", 'b"é, c'], [], None, [], [], []],
        "truth": [True, False, None, True, True, True],
    }
    tables.write_csv(tmp_path / "a.csv", pa.table(columns))
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["0.30000000000000004", "", "inf", "-inf", "nan", "1e-300"]
    assert json.loads(rows[0]["numbers"]) == [0.1, None, "inf"]
    assert json.loads(rows[0]["words"]) == ["a", 'b"é, c']
    assert (rows[1]["words"], rows[2]["words"]) == ("[]", "")
    assert [row["truth"] for row in rows[:3]] == ["true", "false", ""]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "''"])
def test_no_text_in_csv_is_a_formula_and_the_text_can_be_read_back(begins, tmp_path):
    texts = [f"{begins}1+1", "he_normal", "", None, "a=b"]
    table = pa.table({"text": texts, "number": [-1.5, 2.0, None, math.inf, -math.inf]})
    tables.write_csv(tmp_path / "a.csv", table)
    query = pa.table({f"{begins}name": texts, "number": [-1, 2, None, 3, 4]})
    with (tmp_path / "b.csv").open("wb") as sink:
        write_answer(Answer(query.schema, iter(query.to_batches())), sink)
    for name in ("a.csv", "b.csv"):
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        assert not re.match("[=+@\\t\\r\\n\uff1d-]", rows[0][0] + header[0])
        assert [row[0].removeprefix("'") for row in rows] == [text or "" for text in texts]
        assert rows[0][1] in {"-1.5", "-1"}
    assert header[0] == f"'{begins}name"


@given(st.text().filter(lambda text: not literal._BEGINS_A_FORMULA.match(text)))
def test_other_texts_in_csv_are_as_they_are(text):
    assert literal.as_text(text) == text
    assert literal.column_as_text(pa.array([text, None])).to_pylist() == [text, None]


MARKUP = (
    "<script>alert(1)</script>.py:f", "[a](http://b)", "![a](b)", "**a**", "_a_", "`a`", "``a` ", "a|b",
    "a\\|b", "~~a~~", "&lt;", "https://a.b/c.py:f", "www.a.b", "a@b.c", ":tada:", "# a #", " a ", "a\\", "\\",
    "`", "<a@b.c>", "<!-- a -->", "[^1]", "$a$ a_b_c", "normal(std=0.01)", "\x1b[2J", "a\tb",
)  # fmt: skip


@given(st.text("<>[]()`*_~|\\&#!:/. ab@-\n") | st.text() | st.sampled_from(MARKUP))
def test_any_label_in_markdown_is_itself_and_nothing_else(label):
    made = tables.page_markdown(Page("t", "x", [Section(Label(label), ("a", "b"), [(label, Strong(label))])]))
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in label.replace("\n", "↵"))
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(made)
    assert [token.type for token in tokens if token.type.endswith("_open")].count("td_open") == 2
    read = [token.children for token in tokens if token.type == "inline"]
    assert {child.type for children in read for child in children} <= {
        "text", "code_inline", "html_inline", "strong_open", "strong_close"
    }  # fmt: skip
    heading, cells = read[2], read[-2:]
    for children in cells:
        words = "".join("↵" if child.type == "html_inline" else child.content for child in children)
        assert words == shown
        assert {child.content for child in children if child.type == "html_inline"} <= {"<br>"}
    if label:
        assert "".join(child.content for child in heading) == shown.replace("↵", "\\n")


def test_a_label_without_markup_stands_as_it_is():
    for label in (*INITIALIZERS, *ACTIVATIONS, "normal(std=0.01)", "500-50", "-1.5", "a_b.py:f"):
        assert literal.as_markdown(label) == label


@pytest.mark.parametrize("label", MARKUP)
def test_a_heading_in_latex_is_escaped_as_a_cell_is(label):
    made = latex.page(Page("t", "x", [Section(Label(label), ("a",), [("b",)])]), "name")
    assert f"\\caption{{t: {latex.cell(label)}}}" in made
    assert made.isascii()


def test_an_interval_is_one_cell_and_no_interval_is_said_as_such():
    assert interval(0.25, 0.1234, 0.5) == "0.25 (0.123 … 0.5)"
    assert interval(0.25, None, None) == "0.25"
    assert interval(0.25, 0.25, 0.25) == "0.25"
    assert interval(None, None, None) == "–"


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("mine.py:a_b%&#", "mine.\\allowbreak{}py:\\allowbreak{}a\\_\\allowbreak{}b\\%\\&\\#"),
        ("\\${}", "\\textbackslash{}\\$\\{\\}"),
        ("σ²", "$\\mathord{\\sigma}$$\\mathord{{}^2}$"),
        (1.25e-7, "$1.25\\times10^{-7}$"),
        (-0.5, "$-$0.5"),
        ("500-50", "500-50"),
        ("normal(std=1e-05)", "normal(\\allowbreak{}std=1e-05)"),
        (None, "--"),
        (Strong("holds"), "\\textbf{holds}"),
        ("é中", "\\'{e}[U+4E2D]"),
    ],
)
def test_cells_are_latex(value, made):
    assert latex.cell(value) == made


@given(st.text())
def test_any_text_is_printable_ascii_with_balanced_braces(text):
    made = latex.escaped(text)
    assert made.isascii()
    assert made.isprintable()
    bare = re.sub(r"\\[{}]", "", made)
    assert bare.count("{") == bare.count("}")


def test_every_letter_of_the_catalogue_and_the_claims_has_its_sign():
    texts = "".join(claim.statement + claim.measures + claim.why for claim in CLAIMS)
    assert "[U+" not in latex.escaped(texts + string.printable)


def test_long_texts_get_columns_that_break_and_numbers_do_not():
    section = Section("a", ("text", "number", "word"), [("long " * 60, 1.5, "short")])
    made = latex.page(Page("title", "text", [section]), "name")
    columns = re.search(r"begin\{longtable\}\{@\{\}(.*)@\{\}\}", made).group(1)
    assert re.fullmatch(r">\{.*\}p\{0\.8\d+\\linewidth\}rl", columns)
