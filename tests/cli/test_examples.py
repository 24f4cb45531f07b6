"""The help of every command: it fits a terminal, and its example runs."""

import shlex
import shutil

import pytest
from click.testing import CliRunner
from projects import tiny_project
from samples import make_findings, tiny

from winit.cli import main
from winit.findings.claims.tested import write_claims

EXAMPLES = [(name, line) for name, command in main.commands.items() for line in command.example.splitlines()]


@pytest.mark.parametrize("name", [None, *main.commands])
def test_help_fits_into_eighty_columns_and_ends_with_an_example(name):
    shown = CliRunner().invoke(main, [*([name] if name else []), "--help"])
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    examples = lines[lines.index("  Example:") + 1 :]
    assert examples
    for line in examples:  # an example is to be copied, and may be longer
        assert line.startswith(f"    winit {name or ''}")
    assert max(map(len, lines[: lines.index("  Example:")])) <= 80


def test_the_group_lists_every_command_with_a_whole_sentence():
    shown = CliRunner().invoke(main, ["--help"]).output
    for name, command in main.commands.items():
        (line,) = [line for line in shown.splitlines() if line.split()[:1] == [name]]
        assert line.endswith(command.help.strip().splitlines()[0])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A user's folder with the results of a tiny grid."""
    folder = tiny_project(tmp_path_factory.mktemp("project"))
    config = tiny(activation="tanh", depth=2, width=[8, 500])
    (folder / "config/default.yaml").write_text(config.to_yaml())
    (folder / "results").mkdir()
    results = make_findings(folder / "results", config)
    write_claims(results)
    return folder


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_the_example_runs(name, line, project, tmp_path, monkeypatch):
    folder = shutil.copytree(project, tmp_path / "copy")
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(line)
    assert program == "winit"
    assert arguments[0] == name
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    assert "Error" not in ran.output
