"""Nothing that labels, errors or files say is obeyed by a terminal: escapes are shown, not sent."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from samples import make_findings, tiny

from winit.cli import main
from winit.sweep.locks import HeldError, exclusive
from winit.sweep.store import Store
from winit.visible import visible, visible_in_json

HOSTILE = "\x1b]0;title\x07\x1b[31mred\x9b1m\u202eright\u2028line\r\x7f [bold]markup[/] :smile:"
OBEYED = set("\x1b\x07\x9b\u202e\u2028\r\x7f")
SQL = f"SELECT '{HOSTILE}' AS \"{HOSTILE}\", ['{HOSTILE}'] AS list, {{'{HOSTILE}': 1}} AS struct"


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text):
    assert all(sign.isprintable() or sign.isspace() or sign > "\x9f" for sign in visible(text))
    assert not set(visible(text)) & (OBEYED | {"\n", "\t"})
    assert not set(visible(text, lines=True)) & OBEYED
    assert visible(visible(text)) == visible(text)
    said = json.dumps(text, ensure_ascii=False)
    assert json.loads(visible_in_json(said)) == text
    assert not set(visible_in_json(said)) & OBEYED


def test_letters_of_all_languages_stay():
    for text in ("tanh(σ = 2)", "日本語", "é", "שלום", "🙂", "a\tb\nc"):
        assert visible(text, lines=True) == text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of which one cell has failed, with such an error."""
    folder = tmp_path_factory.mktemp("results")
    grid = {"initializer": "he_normal", "activation": "relu", "depth": 1, "width": 8, "seed": [0, 1]}
    make_findings(folder, tiny(**grid))
    config = (folder / "config.yaml").read_text().replace("results: results", f"results: {folder}")
    (folder / "config.yaml").write_text(config.partition("\n")[2])  # the first line says that it is as it was
    return folder


def shown(*arguments, **settings):
    ran = CliRunner().invoke(main, list(arguments), **settings)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran


def on_terminal(*arguments):
    """What a command sends to a terminal."""
    ours, theirs = os.openpty()
    environment = os.environ | {"TERM": "dumb", "COLUMNS": "300", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "winit", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as ran:
        os.close(theirs)
        output = b""
        try:
            while data := os.read(ours, 1000):
                output += data
        except OSError:  # so Linux says that nobody writes any more
            pass
    os.close(ours)
    assert ran.returncode == 0, output
    return output.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("format_", ["table", "md", "json"])
def test_a_query_shows_what_is_in_values_and_names(format_, folder):
    output = shown("query", SQL, "--format", format_, "--results", str(folder)).output
    assert not set(output) & OBEYED
    assert "[bold]markup[/] :smile:" in output
    if format_ == "json":
        (row,) = json.loads(output)
        assert row[HOSTILE] == HOSTILE


@pytest.mark.parametrize("format_", ["table", "csv"])
def test_a_query_on_a_terminal(format_, folder):
    output = on_terminal("query", SQL, "--format", format_, "--results", str(folder))
    assert not set(output) & OBEYED
    assert "\\x1b[31mred" in output


def test_csv_in_a_file_or_a_pipe_has_what_there_is(folder, tmp_path):
    sql = f"SELECT '{HOSTILE}' AS a"
    shown("query", sql, "--output", str(tmp_path / "a.csv"), "--results", str(folder))
    assert HOSTILE.encode() in (tmp_path / "a.csv").read_bytes()
    line = [sys.executable, "-m", "winit", "query", sql, "--format", "csv", "--results", str(folder)]
    assert HOSTILE.encode() in subprocess.run(line, capture_output=True).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", f'FROM "{HOSTILE}"'],
        ["query", f"SELECT error('{HOSTILE}')"],
        ["query", f'SELECT "{HOSTILE}" FROM cells'],
        ["query", "FROM cells", "--output", f"{HOSTILE}.xyz"],
        ["query", "--schema", HOSTILE],
        ["query", "FROM cells", "--results", HOSTILE],
        ["simulate", HOSTILE, "relu"],
        ["simulate", "he_normal", HOSTILE],
        ["simulate", "he_normal", f"{HOSTILE}.py:act"],
        ["simulate", "he_normal", "relu", "--width", HOSTILE],
        ["simulate", "he_normal", "relu", "--plot", f"{HOSTILE}.xyz"],
        ["simulate", "he_normal", "relu", "--dtype", HOSTILE],
        ["phase", HOSTILE],
        ["plan", "--config", HOSTILE],
        ["status", "--config", HOSTILE],
        ["sweep", "--shard", HOSTILE],
        ["cluster", "--cluster", HOSTILE, "--show"],
        ["summarize", "--results", HOSTILE],
        ["initializers", HOSTILE],
        [HOSTILE],
        [f"--{HOSTILE}"],
        ["query", f"--{HOSTILE}"],
    ],
    ids=lambda arguments: arguments[0][:9],
)
def test_no_command_sends_what_it_was_given(arguments, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if arguments[0] == "query" and "--results" not in arguments:
        arguments = [*arguments, "--results", str(folder)]
    ran = shown(*arguments)
    assert not set(ran.output) & OBEYED


def test_status_names_what_failed(folder):
    from winit.sweep.layout import Results
    from winit.sweep.store import Part, Record

    results = Results(folder)
    plan = results.read_plan()
    cell = plan["cell_id"][0].as_py()
    store = Store(results.parts)
    for path in results.parts.glob("*.parquet"):
        path.unlink()
    from winit.sweep.schema import LAYERS

    store.write(Part(LAYERS.empty_table(), [Record(cell, 0.0, HOSTILE)], "1", "packages"))
    ran = shown("status", "--config", str(folder / "config.yaml"))
    assert ran.exit_code == 1
    assert "\\x1b[31mred" in ran.stderr
    assert not set(ran.output) & OBEYED


def test_what_a_lock_says_of_its_holder_is_shown(tmp_path):
    with exclusive(tmp_path / "lock", HOSTILE):
        with pytest.raises(HeldError) as held, exclusive(tmp_path / "lock", "waits", wait=False):
            pass
        assert not set(str(held.value)) & OBEYED
