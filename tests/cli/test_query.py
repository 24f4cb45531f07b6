"""winit query: the same answer in every format, every digit, and errors that name the mend."""

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from samples import make_results, tiny

import winit
from winit.cli import main
from winit.findings.database import Database
from winit.findings.predictions import write_theory
from winit.sweep.schema import VIEWS

LAYERS = "SELECT * FROM layers ORDER BY cell_id, layer"
ODD = """SELECT 'nan'::DOUBLE AS a, 'inf'::DOUBLE AS b, '-inf'::DOUBLE AS c, NULL AS d, '' AS e, 'x,"y"' AS f,
    [1.5, 'nan'::DOUBLE] AS g, 0.1::DOUBLE + 0.2::DOUBLE AS h, sum(i) AS i, 1.25::DECIMAL(5, 2) AS j,
    DATE '2026-01-02' AS k, {'l': 1} AS l, 1::DOUBLE / 3 AS m FROM range(3) AS r(i)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results without a summary and claims."""
    folder = tmp_path_factory.mktemp("results")
    write_theory(make_results(folder, tiny()), tiny())
    return folder


@pytest.fixture
def ask(folder):
    def asked(*arguments, **settings):
        return CliRunner().invoke(main, ["query", "--results", str(folder), *arguments], **settings)

    return asked


def command(folder, *arguments):
    return [sys.executable, "-m", "winit", "query", "--results", str(folder), *arguments]


@pytest.mark.parametrize("name", ["answer.parquet", "answer.json"])
def test_every_digit_and_every_list_survives(name, ask, folder, tmp_path):
    """Read by Arrow and by Python's own JSON."""
    path = tmp_path / name
    assert ask(LAYERS, "--output", str(path)).exit_code == 0
    rows = Database(folder).sql(LAYERS).to_arrow_table().to_pylist()
    found = pq.read_table(path).to_pylist() if path.suffix == ".parquet" else json.loads(path.read_text())
    assert len(found) == 336
    assert found == rows


def test_csv_has_every_digit_and_lists_as_json(ask, folder):
    rows = Database(folder).sql(LAYERS).to_arrow_table().to_pylist()
    found = list(csv.DictReader(io.StringIO(ask(LAYERS, "--format", "csv").output)))
    assert len(found) == len(rows)
    for ours, theirs in zip(found, rows, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            read = {str: str, list: json.loads, float: float, int: int, type(None): str}[type(value)]
            assert read(ours[name]) == ("" if value is None else value)


def test_what_is_not_finite_and_what_is_odd_is_written_as_the_help_says(ask):
    (row,) = csv.DictReader(io.StringIO(ask(ODD, "--format", "csv").output))
    assert [row[name] for name in "abcdef"] == ["nan", "inf", "-inf", "", "", 'x,"y"']
    assert row["g"] == '[1.5, "NaN"]'
    (row,) = json.loads(ask(ODD, "--format", "json").output)
    assert [row[name] for name in "abcdef"] == ["NaN", "Infinity", "-Infinity", None, "", 'x,"y"']
    assert row["g"] == [1.5, "NaN"]
    assert (row["h"], row["i"], row["j"], row["k"]) == (0.1 + 0.2, 3, 1.25, "2026-01-02")
    assert (row["l"], row["m"]) == ({"l": 1}, 1 / 3)


def test_an_empty_text_is_not_null_in_csv(ask):
    assert ask("SELECT NULL::VARCHAR AS a, '' AS b", "--format", "csv").output == '"a","b"\n,""\n'


def test_other_programs_read_what_is_written(ask, tmp_path):
    sql = "SELECT initializer, layer, h_std, h_histogram FROM layers ORDER BY ALL"
    for ending in ("csv", "json", "parquet"):
        assert ask(sql, "--output", str(tmp_path / f"a.{ending}")).exit_code == 0
    frames = [
        pl.read_csv(tmp_path / "a.csv"),
        pl.read_json(tmp_path / "a.json"),
        pl.read_parquet(tmp_path / "a.parquet"),
        pl.from_pandas(
            pd.read_json(tmp_path / "a.json", precise_float=True)[["initializer", "layer", "h_std"]]
        ),
    ]
    for frame in frames:
        assert frame["h_std"].to_list() == frames[2]["h_std"].to_list()
    assert frames[1]["h_histogram"].to_list() == frames[2]["h_histogram"].to_list()


@pytest.mark.parametrize(
    ("format_", "nothing"), [("csv", '"a"\n'), ("json", "[]\n"), ("md", "| a |\n| ---: |\n")]
)
def test_no_rows_are_an_answer_too(format_, nothing, ask):
    assert ask("SELECT 1 AS a WHERE false", "--format", format_).output == nothing


def test_parquet_goes_through_a_pipe(folder):
    ran = subprocess.run(command(folder, LAYERS, "--format", "parquet"), capture_output=True)
    assert pq.read_table(pa.BufferReader(ran.stdout)).num_rows == 336


def test_markdown_is_a_table_with_four_digits(ask):
    output = ask("SELECT 'a|b' AS t, 1 / 3 AS x, NULL::INT AS y", "--format", "md").output
    assert output == "| t | x | y |\n| --- | ---: | ---: |\n| a\\|b | 0.3333 | – |\n"


def test_a_table_ends_with_the_number_of_rows(ask):
    assert ask("FROM cells LIMIT 1").output.splitlines()[-1] == "(1 row)"
    assert ask("FROM layers").output.splitlines()[-1] == "(40 of 336 rows; --format csv has all)"
    shown = ask("FROM layers", "--rows", "336").output.splitlines()
    assert len(shown) == 2 + 336 + 1
    assert shown[-1] == "(336 rows)"


def test_a_terminal_shows_the_columns_that_fit_and_says_so(folder):
    main_end, terminal = os.openpty()
    environment = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
    ran = subprocess.Popen(
        command(folder, "SELECT * FROM layers", "--rows", "2"), stdout=terminal, env=environment
    )
    os.close(terminal)
    output = b""
    try:
        while data := os.read(main_end, 1000):
            output += data
    except OSError:  # so Linux says that nobody writes any more
        pass
    os.close(main_end)
    assert ran.wait() == 0
    assert b"(2 of 336 rows, " in output
    assert f" of {len(VIEWS['layers'][1])} columns; --format csv has all)".encode() in output


def test_a_table_in_a_pipe_has_every_column(ask):
    names = VIEWS["layers"][1].names
    assert ask("FROM layers LIMIT 1").output.split()[: len(names)] == names


def test_the_query_may_come_from_standard_input(ask):
    assert ask("-", "--format", "csv", input="SELECT count(*) AS n\nFROM cells\n").output == '"n"\n96\n'


@pytest.mark.parametrize(
    ("sql", "mend"),
    [
        ("SELECT h_sdt FROM layers", "there is no column 'h_sdt'; the nearest are h_std"),
        ("SELECT l.h_sdt FROM layers l", "there is no column 'h_sdt'; the nearest are h_std"),
        ("SELECT h_std FROM cells", "there is no column 'h_std' in what is asked; layers, theory have it"),
        ("FROM layer", "there is no view 'layer'; did you mean 'layers'? (the views here: layers, cells"),
        ("FROM layers WHERE x.a = 1", "there is no view 'x' (the views here: layers, cells"),
        ("SELECT h_std, FROM\nlayers WHERE BY", "syntax error at or near"),
        ("SELECT error('boom')", "boom"),
        ("SELECT cast(verdict AS INT) FROM cells", "Could not convert string"),
        ("SELECT 1; SELECT 2", "only one query that reads"),
        ("", "only one query that reads"),
        ("DROP VIEW cells", "only one query that reads"),
        ("COPY cells TO 'stolen.csv'", "only one query that reads"),
        ("FROM 'setup.csv'", "Cannot access file"),
        ("FROM read_text('/etc/hostname')", "Cannot access file"),
    ],
)
@pytest.mark.parametrize("format_", ["table", "csv"])
def test_a_query_that_cannot_be_answered_is_a_line_with_the_mend(sql, mend, format_, ask):
    refused = ask(sql, "--format", format_)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert mend in refused.stderr
    assert refused.stderr.startswith("winit: ")
    assert refused.stderr.count("\n") == 1


BEFORE = ["", "-- a\n\n/* b\n c */ ", "\n\n", "EXPLAIN ", "EXPLAIN ANALYZE\n", "DESCRIBE ", "SUMMARIZE\n"]
BEFORE += ["WITH a AS (FROM cells)\n", "SELECT depth, verdict\nFROM cells UNION ALL\n"]
MANY = "depth > 0 AND " * 20
# Each with what is wrong in it.
WRONG = {
    "SELECT depth, verdict FROM cells WHERE sum(depth) > 3": "sum(depth)",
    "SELECT depth, verdict\n\tFROM cells\nWHERE cells.verdict = 5": "cells.verdict",
    "SELECT depth,\n  verdict::DATE AS verdict\nFROM cells\n": "::DATE",
    "SELECT depth, verdict FROM cells WHERE depth = 'a few'": "'a few'",
    f"SELECT depth, verdict FROM cells WHERE {MANY} depth = 'a few' AND {MANY} true": "'a few'",
    "SELECT depth, verdict FROM cells\nWHERE depth = 1\nGROUP depth": "depth",
    "SELECT depth,\r\nverdict FROM cells WHERE\r\nwindow": "window",
    "SELECT depth, '日本'\nFROM cells WHERE 'é' = 'é' AND\ndepth = 'a few'": "'a few'",
}


def wrong_places(text, wrong, messages):
    """How many messages name a place, each of them that of ``wrong`` in ``text``."""
    places = [
        found.groups() for said in messages if (found := re.search(r" in line (\d+), column (\d+): ", said))
    ]
    for line, column in places:
        assert text.split("\n")[int(line) - 1][int(column) - 1 :].startswith(wrong), messages
    return len(places)


@pytest.mark.parametrize(("query", "wrong"), WRONG.items())
def test_the_place_of_a_mistake_is_that_in_the_text_as_it_was_asked(query, wrong, folder):
    database = winit.open_results(folder)

    def refusals(text):
        for asked in (database.sql, database.count, lambda text: list(database.answer(text, 3).batches)):
            try:
                asked(text)
            except winit.WinitError as error:
                yield str(error)

    for before in BEFORE:
        found = wrong_places(before + query, wrong, refusals(before + query))
        # What is explained or described is not computed; of a summary, and of what does not fit, DuckDB often
        # names no place.
        assert found or before.split() in (["DESCRIBE"], ["EXPLAIN"], ["SUMMARIZE"]) or "sum(" in query


@pytest.mark.parametrize("format_", ["table", "csv"])
def test_so_it_is_of_standard_input(format_, ask):
    query, wrong = list(WRONG.items())[1]
    said = ask("-", "--format", format_, input=f"-- a\n\n{query}").stderr
    assert wrong_places(f"-- a\n\n{query}", wrong, [said])


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("FROM cells WHERE verdict = 5", "verdict"),
        ("FROM cells WHERE 5 < initializer", "initializer"),
        ("FROM layers WHERE activation BETWEEN 1 AND 2", "activation"),
        ("SELECT verdict + 1 FROM cells", "verdict"),
        ("SELECT avg(width) FROM cells", "width"),
        ("FROM cells WHERE depth = initializer", "initializer"),
        ("FROM cells WHERE depth = 'deep'", None),
        ("SELECT strftime(verdict, '%d') FROM cells", None),
    ],
)
def test_a_text_where_a_number_is_wanted_is_named_with_what_to_write(sql, column, ask):
    said = ask(sql).stderr
    mend = f"; {column} is text: write the value in quotation marks, or TRY_CAST({column} AS DOUBLE) where"
    assert (mend in said) == (column is not None)
    assert ("is text" in said) == (column is not None)
    assert len(said) < 700


@pytest.mark.parametrize(
    ("view", "step"),
    [
        ("summary", "summarize --results {}"),
        ("answers", "summarize --results {}"),
        ("ranking", "summarize --results {}"),
        ("claims", "claims --results {}"),
    ],
)
def test_a_view_that_is_not_there_yet_is_named_with_the_step_that_makes_it(view, step, ask, folder):
    refused = ask(f"SELECT * FROM {view}")
    assert refused.stderr == f"winit: there is no {view} yet; `winit {step.format(folder)}` makes it\n"
    assert f"`winit {step.format(folder)}` makes it" in ask("--schema").output


def test_no_results_are_told_with_what_makes_them(tmp_path):
    refused = CliRunner().invoke(main, ["query", "FROM cells", "--results", str(tmp_path)])
    assert refused.exit_code == 1
    assert "holds no results yet; `snakemake --cores all` makes them" in refused.stderr


def test_a_file_that_is_no_parquet_is_named_with_what_makes_it_anew(tmp_path):
    (tmp_path / "claims.parquet").write_bytes(b"nonsense")
    refused = CliRunner().invoke(main, ["query", "FROM claims", "--results", str(tmp_path)])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("winit: claims cannot be read")
    assert f"`winit claims --results {tmp_path}` makes it anew" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        ((), "give a query"),
        (("SELECT 1", "--output", "answer.doc"), "ends in none of .csv, .json, .parquet, .md, .txt"),
        (("SELECT 1", "--format", "xml"), "'table', 'csv', 'json', 'parquet', 'md'"),
        (("--schema", "layer"), "there is no view 'layer'"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, mend, ask):
    refused = ask(*arguments)
    assert refused.exit_code == 2
    assert mend in refused.stderr


def test_where_a_query_fails_the_file_stays_as_it_was(ask, tmp_path):
    path = tmp_path / "answer.csv"
    path.write_text("before")
    late = "SELECT CASE WHEN range = 99999 THEN error('late') ELSE '' END AS x FROM range(100000)"
    assert ask(late, "--output", str(path)).exit_code == 1
    assert [p.name for p in tmp_path.iterdir()] == ["answer.csv"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("view", VIEWS)
def test_the_schema_lists_every_column_with_type_unit_and_meaning(view, ask):
    output = ask("--schema", view).output
    for field in VIEWS[view][1]:
        (line,) = [line for line in output.splitlines() if line.split()[:1] == [field.name]]
        assert field.metadata[b"description"].decode() in line
        assert field.metadata.get(b"unit", b"").decode() in line
    assert output in ask("--schema").output


def test_the_schema_and_the_help_list_what_can_be_asked(folder, ask):
    database = Database(folder)
    assert database.views.keys() | database.missing.keys() == VIEWS.keys()
    *others, last = VIEWS
    assert f"{', '.join(others)} and {last}" in " ".join(ask("--help").output.split())


def test_the_schema_counts_the_rows_of_each_view(ask):
    lines = [line.split()[:2] for line in ask("--schema").output.splitlines()]
    assert ["layers", "336"] in lines
    assert ["claims", "none"] in lines


@pytest.mark.parametrize("format_", ["table", "csv", "json", "md", "parquet"])
def test_that_the_reader_goes_away_is_no_error(format_, folder):
    sql = "SELECT range AS a, random()::VARCHAR AS b FROM range(300000)"
    line = command(folder, sql, "--rows", "20000", "--format", format_)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
        asked.stdout.read(10)
        asked.stdout.close()
        assert asked.stderr.read() == b""
        assert asked.wait() == 0


def test_ctrl_c_ends_a_query_that_would_take_years(folder, tmp_path):
    sql = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"
    path = tmp_path / "answer.csv"
    # From then on it is DuckDB that takes time: what Python needs to start is behind it.
    program = (
        "import sys; from winit.cli import main; from winit.findings.database import Database\n"
        "answer = Database.answer\n"
        "def told(*asked):\n"
        "    print('asked', file=sys.stderr, flush=True)\n"
        "    return answer(*asked)\n"
        "Database.answer = told\n"
        "main()"
    )
    line = [sys.executable, "-c", program, "query", "--results", str(folder), sql, "--output", str(path)]
    # In the background a shell has Ctrl-C ignored; this is a terminal's.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, **heard) as asked:
        assert asked.stderr.readline() == "asked\n"
        compute(psutil.Process(asked.pid), seconds=0.5)
        asked.send_signal(signal.SIGINT)
        assert asked.wait(60) == 130
        assert asked.stderr.read().startswith("winit: stopped")
    assert list(tmp_path.iterdir()) == []


def compute(process, seconds):
    """Wait until it has computed for so long from now on."""
    before = process.cpu_times().user
    for _ in range(6000):
        if process.cpu_times().user - before > seconds:
            return
        assert process.status() != psutil.STATUS_ZOMBIE, "it ended"
        time.sleep(0.01)
    pytest.fail("it does not compute")


def test_the_memory_of_a_query_does_not_grow_with_its_answer(folder):
    """Of 0.7 GB more of text a process holds less than a quarter, however many threads DuckDB has."""
    program = (
        # Not the maximum of getrusage, which a process takes over from the one that started it.
        "import re, sys; from winit.cli import main\n"
        "try: main()\n"
        "finally: print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)"
    )

    def answered(rows):
        """The bytes of the answer, and the most that the process held."""
        sql = f"SELECT range AS a, repeat('x', 400) AS b FROM range({rows})"
        line = [sys.executable, "-c", program, "query", sql, "--results", str(folder), "--format", "csv"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
            size = sum(len(block) for block in iter(lambda: asked.stdout.read(1 << 20), b""))
            assert asked.wait() == 0
            return size, int(asked.stderr.read()) * 1024

    (small, held), (large, held_then) = answered(250_000), answered(2_000_000)
    assert math.isclose(large, 2e6 * 411, rel_tol=0.02)
    assert held_then - held < (large - small) / 4
