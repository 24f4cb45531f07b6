"""The commands: help with an example, errors in a line with the mend."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from samples import TINY, make_results, tiny

import winit.api
from winit.cli import main
from winit.findings.predictions import write_theory
from winit.findings.summary import summarize


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_with_an_example(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Example: winit {name}" in result.output
    assert main.commands[name].help


@pytest.fixture
def config(tmp_path):
    """A config whose results go to ``tmp_path / "results"``."""
    path = tmp_path / "config.yaml"
    settings = {"results": str(tmp_path / "results"), "sweep": {"block_seconds": 0.001}}
    path.write_text(yaml.safe_dump(TINY | settings))
    return str(path)


def words(output):
    """The words of each line."""
    return [line.split() for line in output.splitlines()]


def test_plan_then_status(config, tmp_path):
    missing = run("status", "--config", config)
    assert missing.exit_code == 1
    assert "run `winit plan --write` first" in missing.output
    planned = words(run("plan", "--config", config).output)
    assert ["number", "96", "32"] in planned
    assert ["layer", "rows", "336", "512"] in planned
    assert not (tmp_path / "results").exists()  # looking costs nothing
    assert run("plan", "--config", config, "--write").exit_code == 0
    state = words(run("status", "--config", config, "--threads", "3").output)
    assert " ".join(state[0]) == "0 cells done, 96 missing, 0 failed"
    assert ["cells", "missing", "runs", "missing"] in state
    assert ["layer", "rows", "336", "512"] in state
    assert state[-1][:4] == ["time", "on", "3", "cores"]
    early = run("collect", "--config", config)
    assert early.exit_code == 1
    assert "96 of 96 planned cells are not in the store" in early.output


@pytest.mark.parametrize(
    "arguments",
    [
        *(("sweep", "--shard", shard) for shard in ("3", "0-of-2", "3-of-2", "a-of-b")),
        ("sweep", "--threads", "-1"),
        ("plan", "--shards", "0"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, config):
    result = run(*arguments, "--config", config)
    assert result.exit_code == 2
    assert arguments[1] in result.output


@pytest.mark.parametrize(("planned", "asked"), [("4", "1-of-2"), ("1", "1-of-3")])
def test_a_plan_of_another_number_of_shards_is_refused(planned, asked, config):
    assert run("plan", "--config", config, "--shards", planned, "--write").exit_code == 0
    result = run("sweep", "--config", config, "--shard", asked)
    assert result.exit_code == 1
    assert f"winit plan --write --shards {asked[-1]}" in result.output


def test_a_cell_too_large_for_the_machine_is_refused_with_the_numbers(tmp_path):
    path = tmp_path / "config.yaml"
    grid = TINY["grids"][0] | {"width": 1_000_000, "depth": 100}
    path.write_text(yaml.safe_dump({"grids": [grid], "results": str(tmp_path / "results")}))
    result = run("plan", "--config", str(path), "--write")
    assert result.exit_code == 1
    assert "depth 100, width 1000000 and batch 1000 needs about" in result.output
    assert not (tmp_path / "results").exists()
    assert run("simulate", "he_normal", "relu", "--width", "1000000").exit_code == 1


def test_fewer_workers_are_proposed_where_a_cell_fits_into_a_larger_share(config, monkeypatch):
    monkeypatch.setattr("winit.sweep.machine.memory_limit", lambda: 2e9)
    many = run("plan", "--config", config, "--threads", "96")
    assert many.exit_code == 1
    assert "each of 96 workers" in many.output
    fewer = re.search(r"winit plan --threads (\d+)", many.output)[1]
    assert run("plan", "--config", config, "--threads", fewer).exit_code == 0


@pytest.fixture
def large(config):
    """The same config with fewer cells allowed than it has."""
    data = yaml.safe_load(Path(config).read_text())
    data["sweep"]["max_cells"] = 95
    Path(config).write_text(yaml.safe_dump(data))
    return config


def test_a_plan_over_the_allowed_size_asks_for_yes(large, tmp_path):
    refused = run("plan", "--config", large, "--write")
    assert refused.exit_code == 2
    assert "96 cells, more than sweep.max_cells, which is 95" in refused.output
    assert "raise it in the config, or give `winit plan` --yes" in refused.output
    assert not (tmp_path / "results").exists()
    assert run("plan", "--config", large, "--write", "--yes").exit_code == 0
    assert "96 missing" in run("status", "--config", large).output


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1)])
def test_on_a_terminal_a_plan_over_the_allowed_size_is_a_question(answer, code, large):
    keyboard, terminal = os.openpty()
    os.write(keyboard, answer)
    command = [sys.executable, "-m", "winit", "plan", "--config", large]
    asked = subprocess.run(command, stdin=terminal, capture_output=True, text=True)
    os.close(keyboard)
    os.close(terminal)
    assert asked.returncode == code
    assert "Plan it now? [y/N]" in asked.stdout
    assert ("layer rows" in asked.stdout) == (code == 0)


@pytest.mark.parametrize("text", ["{", "[]", '{"grids": 3}'])
def test_a_config_that_is_none_is_refused_and_not_written(text, tmp_path):
    output = tmp_path / "config.yaml"
    result = run("config", "--json", text, "--output", str(output))
    assert result.exit_code == 2
    assert not output.exists()


def test_simulate_shows_a_row_for_each_layer():
    result = run("simulate", "he_normal", "relu", "--depth", "3", "--width", "20", "--batch", "10")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    rows = [line.split() for line in lines[-4:]]
    assert [row[0] for row in rows] == list("0123")
    assert {len(row) for row in rows} == {8}
    assert max(map(len, lines)) <= 80


def test_simulate_refuses_what_a_config_would_refuse():
    result = run("simulate", "he_norml", "relu", "--depth", "0")
    assert result.exit_code == 2
    assert "did you mean 'he_normal'?" in result.output
    assert "at least 1" in result.output


@pytest.mark.parametrize(
    ("name", "part", "shown", "hidden"),
    [
        (
            "initializers",
            "",
            "torch.kaiming_uniform(a=0.0, mode=fan_in, nonlinearity=leaky_relu)",
            "gelu_tanh",
        ),
        ("initializers", "torch", "torch.nn.Linear", "keras"),
        ("initializers", "xavier", "glorot_normal", "orthogonal"),
        ("activations", "swish", "silu", "relu"),
    ],
)
def test_the_catalogue_is_listed_and_searched(name, part, shown, hidden):
    output = " ".join(run(name, *([part] if part else [])).output.split())
    assert shown in output
    assert hidden not in output


def test_a_phase_diagram_is_drawn_to_a_file(tmp_path):
    made = tmp_path / "gelu.svg"
    assert run("phase", "gelu", "--output", str(made)).exit_code == 0
    assert "σ_w²" in made.read_text()
    for arguments, words in (
        (("gelu", "--output", str(tmp_path / "gelu.doc")), "ends neither in .svg"),
        (("gellu",), "did you mean 'gelu'"),
    ):
        refused = run("phase", *arguments)
        assert refused.exit_code > 0
        assert words in refused.output


def test_query_and_the_python_interface_see_the_same(tmp_path):
    results = make_results(tmp_path, tiny())
    early = run("summarize", "--results", str(tmp_path))
    assert "run `winit theory` first" in early.output
    write_theory(results)
    summarize(results)
    sql = "SELECT count(*) AS cells FROM cells"
    assert "96" in run("query", sql, "--results", str(tmp_path)).output
    assert winit.open_results(tmp_path).sql(sql).fetchall() == [(96,)]
    for query in ("SELECT * FROM nothing", "SELECT error('boom')", "SELECT cast(verdict AS int) FROM cells"):
        refused = run("query", query, "--results", str(tmp_path))
        assert refused.exit_code == 1
        assert "layers, cells, theory, summary" in refused.output


def test_simulate_gives_the_numbers_of_the_sweep(tmp_path):
    results = make_results(tmp_path, tiny())
    alone = winit.simulate("he_normal", "relu", depth=4, width="12-4", seed=2, batch=20)
    cell = alone["cell_id"][0].as_py()
    swept = winit.open_results(results.folder).sql(f"FROM layers WHERE cell_id = '{cell}' ORDER BY layer")
    assert swept.to_arrow_table().to_pylist() == alone.to_pylist()


def test_the_example_of_the_python_interface_is_true():
    assert doctest.testmod(winit.api) == (0, 10)


def test_debug_shows_the_traceback():
    result = run("--debug", "query", "SELECT 1", "--results", "nowhere")
    assert isinstance(result.exception, winit.WinitError)


def test_sigterm_is_not_taken_for_an_error_of_a_users_function(tmp_path):
    (tmp_path / "own.py").write_text(
        "import os, signal\n\ndef told_to_end(layer):\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "winit", "simulate", "own.py:told_to_end", "tanh"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 143
    assert ran.stderr == "winit: terminated; what is finished is kept, the same command goes on\n"
