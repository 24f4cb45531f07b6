"""The commands: help with an example, errors in a line with the mend."""

import doctest
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from samples import TINY, make_results, tiny

import winit.api
from winit.cli import main


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


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


def paths_of_options():
    """Every option of every command that takes a path."""
    return [
        pytest.param(name, option, id=f"{name} {option.opts[0]}")
        for name, command in main.commands.items()
        for option in command.params
        if isinstance(option.type, click.Path)
    ]


@pytest.mark.parametrize(("name", "option"), paths_of_options())
def test_a_path_in_quotation_marks_is_as_a_shell_would_have_it(name, option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINIT_PLACE", "there")
    assert option.type.convert("$WINIT_PLACE/x.csv", option, None) == Path("there/x.csv")
    assert option.type.convert("~/x.csv", option, None) == Path.home() / "x.csv"
    with pytest.raises(click.BadParameter, match="has \\$WINIT_NONE in it, and no such variable is set"):
        option.type.convert("${WINIT_NONE}/x.csv", option, None)
    written = Path("$WINIT_NONE")  # of somebody's who means it
    written.touch() if not option.type.dir_okay else written.mkdir()
    assert option.type.convert(str(written), option, None) == written


def test_no_folder_is_made_that_has_the_name_of_a_variable(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text(yaml.safe_dump(TINY | {"results": "$WINIT_NONE/x"}))
    made = run("plan", "--write", "--config", "my.yaml")
    assert "results: '$WINIT_NONE/x' has $WINIT_NONE in it, and no such variable is set" in made.output
    assert run("config", "--input", config, "--output", "$WINIT_NONE.yaml").exit_code == 2
    assert run("summarize", "--results", "$WINIT_NONE").exit_code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"my.yaml", "config.yaml"}


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
    assert state[0] == ["planned", "done", "missing", "failed", "time", "left", "on", "3", "cores"]
    assert [line[:5] for line in state if line[:1] == ["cells"]] == [["cells", "96", "0", "96", "0"]]
    assert [line[:5] for line in state if line[:1] == ["runs"]] == [["runs", "32", "0", "32", "0"]]
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
    assert ["cells", "96", "0", "96"] in [line[:4] for line in words(run("status", "--config", large).output)]


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
    output, source = tmp_path / "config.yaml", tmp_path / "given.yaml"
    source.write_text(text)
    result = run("config", "--input", str(source), "--output", str(output))
    assert result.exit_code == 2
    assert not output.exists()


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
        ("initializers", "HeNormal", "keras.initializers.HeNormal", "glorot"),
        ("activations", "swish", "silu", "relu"),
        ("activations", "nn.GELU()", "gelu_tanh", "relu"),
    ],
)
def test_the_catalogue_is_listed_and_searched(name, part, shown, hidden):
    output = " ".join(run(name, *([part] if part else [])).output.split())
    assert shown in output
    assert hidden not in output


@pytest.mark.parametrize(
    ("name", "part", "said"),
    [
        ("initializers", "HeNorml", "unknown initializer 'HeNorml'; did you mean 'he_normal'?"),
        ("activations", "Foo", "unknown activation 'Foo'"),
        ("activations", "Softmax", "mixes the units of a layer"),
    ],
)
def test_a_search_that_finds_nothing_says_so(name, part, said):
    refused = run(name, part)
    assert refused.exit_code == 1
    assert said in refused.output
    assert refused.output.count("\n") == 1


def test_numbers_may_be_written_as_people_do():
    plain = ("--depth", "3", "--width", "20", "--batch", "32", "--seed", "10", "--bias-std", "0.125")
    given = ("--depth", "3e0", "--width", "2e1", "--batch", "2**5", "--seed", "1_0", "--bias-std", "1/8")
    made = run("simulate", "he_normal", "tanh", *given)
    assert made.exit_code == 0, made.output
    assert made.output == run("simulate", "he_normal", "tanh", *plain).output


@pytest.mark.parametrize(
    ("option", "written", "mend"),
    [
        ("--depth", "1,000", "write 1000"),
        ("--depth", "2.5", "write 2 or 3"),
        ("--batch", "2k", "write 2000"),
        ("--seed", "big", "'big' is not a whole number; write one such as 1000"),
        ("--width", "1,000", "write 1000"),
        ("--bias-std", "0,5", "write 0.5"),
    ],
)
def test_a_number_that_is_none_is_refused_with_the_mend(option, written, mend):
    refused = run("simulate", "he_normal", "tanh", option, written)
    assert refused.exit_code == 2
    assert mend in refused.output


def test_how_many_threads_may_be_written_so_too():
    assert "write 1000" in run("plan", "--threads", "1k").output
    assert "1000001 is not in the range" in run("plan", "--threads", "1e6 + 1").output


def test_a_phase_diagram_is_drawn_to_a_file(tmp_path):
    made = tmp_path / "gelu.svg"
    assert run("phase", "gelu", "--output", str(made)).exit_code == 0
    assert "σ_w²" in made.read_text()
    for arguments, words in (
        (("gelu", "--output", str(tmp_path / "gelu.doc")), "ends in none of .svg"),
        (("gellu",), "did you mean 'gelu'"),
    ):
        refused = run("phase", *arguments)
        assert refused.exit_code > 0
        assert words in refused.output


@pytest.mark.parametrize(
    ("ending", "start"),
    [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("html", b"<!DOCTYPE html>")],
)
def test_simulate_draws_its_network_to_a_file(ending, start, tmp_path):
    path = tmp_path / f"he.{ending}"
    small = ("--depth", "3", "--width", "20", "--batch", "30")
    drawn = run("simulate", "he_normal", "tanh", *small, "--plot", str(path))
    assert drawn.exit_code == 0, drawn.output
    assert drawn.output.endswith(f"{path}\n")
    assert path.read_bytes().lstrip().startswith(start)
    if ending == "svg":
        # Measured and, dashed, what theory says.
        assert path.read_text().count("stroke-dasharray") >= 4
        assert "Histograms by layer" in path.read_text()


def test_simulate_draws_what_there_is_where_nothing_is_finite(tmp_path):
    path = tmp_path / "nothing.svg"
    small = ("--depth", "3", "--width", "20", "--batch", "30")
    drawn = run("simulate", "constant(3e38)", "identity", *small, "--plot", str(path))
    assert drawn.exit_code == 0, drawn.output
    assert path.exists()


def test_a_figure_of_another_kind_is_refused_before_anything_is_computed(tmp_path):
    refused = run("simulate", "he_normal", "tanh", "--plot", str(tmp_path / "he.doc"))
    assert refused.exit_code == 2
    assert "ends in none of .svg" in refused.output


def test_simulate_gives_the_numbers_of_the_sweep(tmp_path):
    results = make_results(tmp_path, tiny())
    alone = winit.simulate("he_normal", "relu", depth=4, width="12-4", seed=2, batch=20)
    cell = alone["cell_id"][0].as_py()
    swept = winit.open_results(results.folder).sql(f"FROM layers WHERE cell_id = '{cell}' ORDER BY layer")
    assert swept.to_arrow_table().to_pylist() == alone.to_pylist()


def test_the_example_of_the_python_interface_is_true():
    assert doctest.testmod(winit.api) == (0, 10)


def test_failed_cells_are_named_below_the_table_and_the_exit_code_tells(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "import numpy as np\n\n"
        "def broken(layer):\n"
        "    if layer.depth in (1, 4):\n"
        "        raise ValueError('no such weights')\n"
        "    return np.zeros((layer.fan_in, layer.fan_out))\n"
    )
    results = tmp_path / "results"
    results.mkdir()
    settings = tiny(initializer=[f"{own}:broken", "zeros"]).model_copy(update={"results": str(results)})
    make_results(results, settings)
    (tmp_path / "config.yaml").write_text(settings.to_yaml())
    state = run("status", "--config", str(tmp_path / "config.yaml"))
    assert state.exit_code == 1
    assert ["cells", "48", "24", "0", "24", "–"] in words(state.output)
    assert "winit: 24 cells failed; a new run tries them again:" in state.output
    assert state.output.count("ValueError: no such weights") == 20
    assert "… and 4 more" in state.output
    asked = run("query", "SELECT error, count(*) AS n FROM cells WHERE status = 'failed' GROUP BY error",
                "--results", str(results), "--format", "csv")  # fmt: skip
    assert asked.output.splitlines()[1] == '"ValueError: no such weights",24'


@pytest.mark.parametrize("name", sorted(main.commands))
@pytest.mark.parametrize("before", [True, False])
def test_debug_may_stand_before_a_command_and_after_it(name, before):
    """Its help is shown, so that it is known there."""
    arguments = ("--debug", name, "--help") if before else (name, "--debug", "--help")
    shown = run(*arguments)
    assert shown.exit_code == 0
    assert "--debug" in shown.output


@pytest.mark.parametrize("arguments", [("--debug", "query"), ("query", "--debug")])
def test_debug_shows_the_traceback(arguments):
    result = run(*arguments, "SELECT 1", "--results", "nowhere")
    assert isinstance(result.exception, winit.WinitError)


def test_without_debug_there_is_a_line():
    result = run("query", "SELECT 1", "--results", "nowhere")
    assert isinstance(result.exception, SystemExit)
    assert result.output.count("\n") == 1


TOLD_TO_END = """
import os, signal

def sigterm(layer):
    os.kill(os.getpid(), signal.SIGTERM)

def sighup(layer):
    os.kill(os.getpid(), signal.SIGHUP)
    return layer.standard("normal")
"""


def told_to_end(folder, function, *before):
    (folder / "own.py").write_text(TOLD_TO_END)
    command = [
        *before,
        sys.executable,
        "-m",
        "winit",
        "simulate",
        f"own.py:{function}",
        "tanh",
        "--width",
        "8",
    ]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.parametrize(
    ("name", "code", "words"), [("sigterm", 143, "terminated"), ("sighup", 129, "the terminal was closed")]
)
def test_a_signal_is_not_taken_for_an_error_of_a_users_function(name, code, words, tmp_path):
    ran = told_to_end(tmp_path, name)
    assert ran.returncode == code
    assert ran.stderr == f"winit: {words}; what is finished is kept, the same command goes on\n"


def test_under_nohup_nothing_ends_with_its_terminal(tmp_path):
    ran = told_to_end(tmp_path, "sighup", "nohup")
    assert ran.returncode == 0, ran.stderr
    assert "activations" in ran.stdout.splitlines()[-1]


def test_a_terminal_that_is_gone_is_written_to_no_more(tmp_path):
    """The command ends as it does elsewhere, though all it says fails."""
    (tmp_path / "own.py").write_text(
        "import pathlib, time\n\ndef slow(layer):\n    pathlib.Path('begun').touch()\n    time.sleep(60)\n"
    )
    slow = ("simulate", "own.py:slow", "tanh")
    terminal, theirs = os.openpty()
    take_it = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{take_it}; import winit.cli; winit.cli.main()", *slow],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.close(terminal)
    assert process.wait(60) == 129


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "he_normal", "relu", "--width", "9" * 5000),
        ("simulate", "he_normal", "relu", "--depth", "9" * 5000),
        ("simulate", "he_normal", "relu", "--depth", "9" * 4000),
        ("simulate", "he_normal", "relu", "--depth", "1e9999"),
        ("simulate", "he_normal", "relu", "--seed", "9" * 4000),
        ("simulate", "x" * 10_000, "relu"),
        ("phase", "(" * 3000),
        ("plan", "--threads", "9" * 4000),
        ("plan", "--shards", "9" * 4000),
        ("sweep", "--shard", "9" * 5000 + "-of-" + "9" * 5000),
        ("sweep", "--shard", "3-of-2"),
        ("cluster", "--cluster", "tls://" + "9" * 5000),
        ("query", "--rows", "9" * 4000, "FROM cells"),
        ("x" * 10_000,),
    ],
)
def test_an_argument_beyond_reason_is_refused_in_few_words(arguments):
    result = run(*arguments)
    assert result.exit_code in {1, 2}
    assert isinstance(result.exception, SystemExit)
    assert len(result.output) < 2000
