"""The views hold, whatever is asked: nothing is written. And a damaged file costs its own view alone."""

import contextlib
import os
import shutil

import duckdb
import pytest
from click.testing import CliRunner
from samples import make_findings, tiny

from winit.cli import main
from winit.errors import WinitError
from winit.findings.claims.tested import write_claims
from winit.findings.database import Database
from winit.findings.reading import ReadOnlyFiles
from winit.sweep.layout import Results
from winit.sweep.schema import VIEWS

KINDS = duckdb.StatementType

READING = {
    "SELECT count(*) FROM cells": KINDS.SELECT,
    "FROM cells": KINDS.SELECT,
    "TABLE cells": KINDS.SELECT,
    "VALUES (1)": KINDS.SELECT,
    "DESCRIBE cells": KINDS.SELECT,
    "DESCRIBE SELECT 1": KINDS.SELECT,
    "SUMMARIZE cells": KINDS.SELECT,
    "SHOW TABLES": KINDS.SELECT,
    "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3) FROM a": KINDS.SELECT,
    "WITH a AS MATERIALIZED (FROM cells) SELECT (SELECT count(*) FROM a) FROM range(3)": KINDS.SELECT,
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b": KINDS.SELECT,
    "FROM cells PIVOT (count(*) FOR verdict IN ('healthy', 'dead'))": KINDS.SELECT,
    "PIVOT cells ON verdict USING count(*) GROUP BY initializer": KINDS.MULTI,
    "FROM (PIVOT cells ON verdict USING count(*)) WHERE initializer <> 'create'": KINDS.MULTI,
    "EXPLAIN FROM cells": KINDS.EXPLAIN,
    "explain analyze select count(*) from cells": KINDS.EXPLAIN,
    "EXPLAIN ANALYZE (FORMAT json) SELECT 1": KINDS.EXPLAIN,
    "/* a */ -- b\nEXPLAIN(SELECT 1)": KINDS.EXPLAIN,
    "EXPLAIN PIVOT cells ON verdict": KINDS.MULTI,
    "EXPLAIN ANALYZE FROM (PIVOT cells ON verdict)": KINDS.MULTI,
    "PIVOT_WIDER cells ON verdict": KINDS.MULTI,
    "PIVOT_LONGER cells ON h_std_ratio, g_std_ratio": KINDS.SELECT,
    "WITH a AS (PIVOT cells ON verdict) FROM a": KINDS.MULTI,
    "WITH a AS (PIVOT cells ON verdict IN ('healthy')) FROM a": KINDS.SELECT,
    "WITH a AS (FROM cells) PIVOT a ON verdict USING count(*)": KINDS.MULTI,
    "SELECT (SELECT count(*) FROM (PIVOT cells ON verdict))": KINDS.MULTI,
    "SELECT count(*) FROM cells JOIN (PIVOT cells ON verdict) AS a USING (cell_id)": KINDS.MULTI,
    "FROM cells WHERE cell_id IN (SELECT cell_id FROM (PIVOT /* a */ cells ON verdict))": KINDS.MULTI,
    "PIVOT (PIVOT cells ON verdict) ON initializer USING count(*)": KINDS.MULTI,
    "(PIVOT cells ON verdict) UNION ALL (PIVOT cells ON verdict)": KINDS.MULTI,
    "SUMMARIZE FROM (PIVOT cells ON verdict)": KINDS.MULTI,
    "SELECT replace(initializer, 'he', 'He') FROM (PIVOT cells ON verdict)": KINDS.MULTI,
    "SELECT * REPLACE (1 AS depth) FROM (PIVOT cells ON verdict)": KINDS.MULTI,
    'SELECT depth AS "update" FROM (PIVOT cells ON verdict)': KINDS.MULTI,
    "FROM (UNPIVOT cells ON h_std_ratio, g_std_ratio INTO NAME a VALUE b)": KINDS.SELECT,
    "WITH a AS (UNPIVOT cells ON h_std_ratio, g_std_ratio) FROM a": KINDS.SELECT,
    "UNPIVOT (PIVOT cells ON initializer USING max(h_std_ratio) GROUP BY seed)"
    " ON COLUMNS(* EXCLUDE seed) INTO NAME a VALUE b": KINDS.MULTI,
}

# Harmless statements of every kind that DuckDB has, most of them of files beside the results.
OTHER = {
    "INSERT INTO cells VALUES (1)": KINDS.INSERT,
    "UPDATE cells SET verdict = 'healthy'": KINDS.UPDATE,
    "CREATE TABLE mine AS FROM cells": KINDS.CREATE,
    "CREATE OR REPLACE VIEW cells AS SELECT 1": KINDS.CREATE,
    "CREATE MACRO double(a) AS 2 * a": KINDS.CREATE,
    "CREATE SECRET mine (TYPE http)": KINDS.CREATE,
    "DELETE FROM cells": KINDS.DELETE,
    "PREPARE mine AS SELECT 1": KINDS.PREPARE,
    "EXECUTE mine": KINDS.EXECUTE,
    "ALTER VIEW cells RENAME TO mine": KINDS.ALTER,
    "BEGIN TRANSACTION": KINDS.TRANSACTION,
    "COPY cells TO '{file}'": KINDS.COPY,
    "COPY cells TO '{beside}'": KINDS.COPY,
    "ANALYZE": KINDS.VACUUM,
    "SET VARIABLE mine = 1": KINDS.SET,
    "DROP VIEW cells": KINDS.DROP,
    "EXPORT DATABASE '{beside}'": KINDS.EXPORT,
    "PRAGMA version": KINDS.PRAGMA,
    "VACUUM": KINDS.VACUUM,
    "CALL pragma_version()": KINDS.CALL,
    "SET threads = 1": KINDS.SET,
    "LOAD json": KINDS.LOAD,
    "ATTACH '{beside}' AS mine": KINDS.ATTACH,
    "DETACH mine": KINDS.DETACH,
    "COPY FROM DATABASE memory TO mine": KINDS.PRAGMA,
    "MERGE INTO cells USING (SELECT 1) AS a ON true WHEN MATCHED THEN DELETE": KINDS.MERGE_INTO,
    "EXPLAIN COPY cells TO '{beside}'": KINDS.EXPLAIN,
    "EXPLAIN ANALYZE CREATE TABLE mine AS FROM cells": KINDS.EXPLAIN,
    "WITH a AS (INSERT INTO cells VALUES (1) RETURNING *) FROM a": KINDS.SELECT,
    "SELECT (WITH a AS (DELETE FROM cells RETURNING *) SELECT 1 FROM a)": KINDS.SELECT,
    "FROM cells; DROP VIEW cells": None,
    "FROM read_text('{file}')": KINDS.SELECT,
    "FROM glob('{beside}*')": KINDS.SELECT,
    "FROM query('SELECT 1')": KINDS.SELECT,
    "FROM checkpoint()": KINDS.SELECT,
    "FROM '{beside}'": KINDS.SELECT,
    "WITH a AS (DELETE FROM cells RETURNING *) FROM (PIVOT a ON verdict)": KINDS.MULTI,
    "FROM (PIVOT glob('*') ON file)": KINDS.MULTI,
    "WITH a AS (PIVOT cells ON verdict) DELETE FROM cells": KINDS.MULTI,
    "WITH a AS (PIVOT cells ON verdict) INSERT INTO cells FROM a": KINDS.MULTI,
    "WITH a AS (PIVOT cells ON verdict) INSERT OR REPLACE INTO cells FROM a": KINDS.MULTI,
    "WITH a AS (DELETE/**/FROM cells RETURNING *) SELECT (SELECT 1 FROM (PIVOT a ON verdict))": KINDS.MULTI,
    "FROM (PIVOT (WITH a AS (UPDATE cells SET depth = 1 RETURNING *) FROM a) ON verdict)": KINDS.MULTI,
    "COPY (FROM (PIVOT cells ON verdict)) TO '{beside}'": KINDS.MULTI,
    "CREATE OR REPLACE TABLE mine AS PIVOT cells ON verdict": KINDS.MULTI,
    "EXPLAIN ANALYZE CREATE TABLE mine AS PIVOT cells ON verdict": KINDS.MULTI,
    "EXPLAIN ANALYZE COPY (PIVOT cells ON verdict) TO '{beside}'": KINDS.MULTI,
    "FROM (PIVOT cells ON verdict); DROP VIEW cells": None,
    "FROM (PIVOT cells ON verdict) JOIN \"read_text\"('{file}') ON true": KINDS.MULTI,
    "PIVOT (FROM query('FROM cells')) ON verdict": KINDS.MULTI,
    "WITH a AS (PIVOT cells ON verdict) FROM a, /* */ glob /* */ ('*')": KINDS.MULTI,
    "FROM (PIVOT '{beside}' ON verdict)": KINDS.MULTI,
    "SELECT depth AS update FROM (PIVOT cells ON verdict)": KINDS.MULTI,
}
# The parser gives no statement of these kinds: they are of DuckDB's own making, or of an older version's.
UNSPOKEN = {"INVALID", "VARIABLE_SET", "CREATE_FUNC", "RELATION", "EXTENSION", "LOGICAL_PLAN"}
UNSPOKEN |= {"ANALYZE", "COPY_DATABASE"}


def state(folder):
    """Every file there: name, content, when it was written."""
    return {
        str(path): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Results with every view, in a folder of their own."""
    folder = tmp_path_factory.mktemp("made") / "results"
    folder.mkdir()
    grid = {
        "initializer": ["he_normal", "zeros"],
        "activation": "relu",
        "depth": 2,
        "width": 8,
        "seed": [0, 1],
    }
    write_claims(make_findings(folder, tiny(**grid)))
    return folder


@pytest.fixture
def results(made, tmp_path):
    """A copy that may be damaged."""
    return Results(shutil.copytree(made, tmp_path / "results"))


def test_the_statements_tried_are_of_every_kind():
    with duckdb.connect() as connection:
        for sql, kind in (READING | OTHER).items():
            kinds = [statement.type for statement in connection.extract_statements(sql)]
            assert kinds == [kind] or kind is None, sql
    assert {kind.name for kind in (READING | OTHER).values() if kind} | UNSPOKEN == set(KINDS.__members__)


def test_what_reads_is_answered(made, monkeypatch):
    monkeypatch.chdir(made.parent)
    before = state(made.parent)
    database = Database(made)
    for sql in READING:
        assert database.sql(sql).columns, sql
        list(database.answer(sql).batches)
    assert state(made.parent) == before


def test_what_does_anything_else_is_refused_and_changes_no_file(made, monkeypatch):
    monkeypatch.chdir(made.parent)
    before = state(made.parent)
    database = Database(made)
    for sql in OTHER:
        with pytest.raises(WinitError, match=r"only one query that reads|Cannot access file|no view"):
            database.sql(sql.format(file=made / "cells.parquet", beside=made.parent / "beside"))
    assert state(made.parent) == before
    assert database.count("FROM cells") == 4


def test_duckdb_itself_writes_no_file_whatever_the_statement(made, monkeypatch):
    """As if nobody had looked at the statement: what DuckDB has are names, of files opened to be read."""
    monkeypatch.chdir(made.parent)
    before = state(made.parent)
    refused = 0
    database = Database(made)
    for sql in OTHER:
        for file in (made / "cells.parquet", database._names[made / "cells.parquet"]):
            statement = sql.format(file=file, beside=made.parent / "beside")
            try:
                database._connection.cursor().execute(statement).fetchall()
            except duckdb.Error:
                refused += 1
    assert refused > len(OTHER)
    assert state(made.parent) == before


def test_the_files_of_a_view_are_opened_for_reading_alone(made):
    name = next(iter(Database(made)._names.values()))
    files = ReadOnlyFiles({name: made / "cells.parquet"})
    for mode in ("wb", "ab", "r+b", "w"):
        with pytest.raises(PermissionError):
            files.open(name, mode)
    with pytest.raises(PermissionError):
        files.open("winit://other", "rb")
    with files.open(name) as file:
        assert file.read(4) == b"PAR1"


def emptied(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def beheaded(path):
    path.write_bytes(path.read_bytes()[20:])


def garbage(path):
    path.write_bytes(os.urandom(1000))


def foreign(path):
    with duckdb.connect() as connection:
        connection.sql("SELECT 1 AS cell_id, 2 AS other").write_parquet(str(path))


def other_type(path):
    """The first column of words becomes one of numbers."""
    with duckdb.connect() as connection:
        rows = connection.read_parquet(str(path))
        first = next(n for n, t in zip(rows.columns, rows.types, strict=True) if str(t) == "VARCHAR")
        changed = rows.project(f"* REPLACE (1 AS {first})").to_arrow_table()
        connection.from_arrow(changed).write_parquet(str(path))


def pages(path):
    """What its footer says is right, and what lies between is not."""
    content = bytearray(path.read_bytes())
    footer = int.from_bytes(content[-8:-4], "little")
    content[4 : len(content) - 8 - footer] = b"\xff" * (len(content) - 12 - footer)
    path.write_bytes(content)


DAMAGES = [emptied, truncated, beheaded, garbage, foreign, other_type, pages]
MAKERS = {
    **dict.fromkeys(("layers", "cells"), "collect"),
    **dict.fromkeys(("training", "training_runs"), "train"),
    **dict.fromkeys(("summary", "answers", "ranking"), "summarize"),
    **{view: view for view in ("theory", "claims")},
}


def file_of(results, view):
    return next(results.layers.glob("*")) if view == "layers" else getattr(results, view)


KEYS = dict.fromkeys(VIEWS, "activation") | {"claims": "id"}
"""A column that a foreign table has not."""


def refusal_of(database, view):
    """Why every row of a view cannot be had."""
    with pytest.raises(WinitError) as refused:
        list(
            database.answer(f"SELECT bit_xor(hash(COLUMNS(*))), any_value({KEYS[view]}) FROM {view}").batches
        )
    return str(refused.value)


@pytest.mark.parametrize(
    ("view", "damage"),
    [
        *((view, pages) for view in VIEWS if view != "cells"),
        *(("cells", damage) for damage in DAMAGES if damage != other_type),
    ],
)
def test_a_damaged_file_costs_its_own_view_and_is_named_with_the_mend(view, damage, results):
    path = file_of(results, view)
    damage(path)
    database = Database(results.folder)
    said = refusal_of(database, view)
    assert said.startswith(f"{view} cannot be read ({path}: ")
    assert f"`winit {MAKERS[view]} --" in said
    assert said.endswith("makes it anew")
    assert "\n" not in said
    for other in set(VIEWS) - {view}:
        assert database.count(f"FROM {other}") > 0


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_file_costs_its_own_view(view, results):
    emptied(file_of(results, view))
    database = Database(results.folder)
    assert set(database.views) == set(VIEWS) - {view}
    assert "empty" in refusal_of(database, view)


@pytest.mark.parametrize("damage", [truncated, foreign, pages])
def test_one_of_several_files_of_layers(damage, results):
    first = next(results.layers.glob("*"))
    second = first.with_name("layers-0001.parquet")
    shutil.copy(first, second)
    damage(second)
    assert f"layers cannot be read ({second}: " in refusal_of(Database(results.folder), "layers")


@pytest.mark.parametrize(
    ("step", "view", "damage", "said"),
    [
        ("summarize", "layers", pages, "cannot be read"),
        ("summarize", "theory", emptied, "cannot be read"),
        ("claims", "cells", emptied, "cannot be read"),
        ("plot", "training_runs", pages, "cannot be read"),
        ("plot", "summary", foreign, "was made of another plan"),
        ("plot", "summary", other_type, "was made of another plan"),
        ("report", "claims", emptied, "cannot be read"),
        ("report", "theory", pages, "cannot be read"),
    ],
)
def test_a_step_says_what_is_damaged_and_what_makes_it_anew(step, view, damage, said, results):
    path = file_of(results, view)
    damage(path)
    before = state(results.folder)
    refused = CliRunner().invoke(main, [step, "--results", str(results.folder)])
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"winit: {view} {said}")
    assert (str(path) in refused.stderr) == (said == "cannot be read")
    assert refused.stderr.endswith(" makes it anew\n")
    assert refused.stderr.count("\n") == 1
    assert state(results.folder) == before


def test_the_schema_says_what_is_damaged(results):
    emptied(results.theory)
    foreign(results.cells)
    shown = CliRunner().invoke(main, ["query", "--schema", "--results", str(results.folder)]).output
    lines = {line.split()[0]: line for line in shown.splitlines()[-len(VIEWS) :]}
    assert "damaged" in lines["theory"]
    assert "damaged" in lines["cells"]
    assert "damaged" not in lines["layers"]


@pytest.mark.parametrize("name", ["res[1]", "res*", "res?", "~", "seed=3", "a\\b[1]"])
def test_results_are_read_from_the_folder_that_is_named(name, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for other in ("res1", "resx"):
        shutil.copytree(made, other)
        emptied(tmp_path / other / "cells.parquet")
    shutil.copytree(made, tmp_path / name)
    database = Database(name)
    assert database.count("FROM cells") == 4
    assert database.sql("FROM layers").columns == list(VIEWS["layers"][1].names)


@pytest.mark.parametrize("operations", [300, 900, 2000])
def test_a_query_that_is_nested_deeply_is_answered_or_refused_in_a_line(results, operations):
    query = f"SELECT width FROM cells WHERE width = 8 AND depth > {'+'.join('0' * operations)}"
    with contextlib.suppress(WinitError):
        assert Database(results.folder).sql(query).fetchall()
