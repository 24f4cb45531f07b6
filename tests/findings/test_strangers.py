"""Whoever opens somebody else's results folder runs nobody's code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from samples import TINY, make_findings

import winit
from winit.cli import main
from winit.findings import charts
from winit.findings.claims.tested import write_claims
from winit.findings.database import Database
from winit.sweep.config import Config
from winit.sweep.seals import write_sealed

MINE = """
import numpy as np
import winit

def law(layer): return winit.Law("normal", std=layer.fan_in**-0.5)
def phi(z): return np.tanh(z), 1 - np.tanh(z) ** 2
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """Results of somebody's functions, which lie in the same folder; by now they tell when they are run."""
    folder = tmp_path_factory.mktemp("theirs") / "results"
    folder.mkdir()
    own, told = folder / "own.py", folder / "told"
    own.write_text(MINE)
    functions = {"initializer": ["he_normal", f"{own}:law"], "activation": f"{own}:phi"}
    depths = {"depth": [1, 2, 4], "width": 8}
    networks = functions | depths | {"learning_rate": 0.1, "seed": 0}
    laws = [f"{own}:law", *(f"mean_field(sigma_w={k}.0)" for k in (2, 3, 4))]
    trained = networks | {"initializer": laws}
    grids = [functions | depths | {"seed": [0, 1]}]
    training = {"grids": [trained], "task": {"steps": 2, "batch": 16}}
    data = TINY | {"grids": grids, "training": training, "results": str(folder)}
    config = Config.checked(data, "test")
    results = make_findings(folder, config)
    write_claims(results)
    text = f"import pathlib\npathlib.Path({str(told)!r}).touch()\n{MINE}"
    own.write_text(text)
    for name in ("plain.py", "sitecustomize.py"):
        (folder / name).write_text(text)
    (folder / "package").mkdir()
    (folder / "package/__init__.py").write_text(text)
    # A plan as an older winit made it brought the text that is run.
    for sweep in (results, results.training_sweep):
        plan = sweep.read_plan()
        brought = json.dumps([{"name": str(own), "text": text, "package": ""}])
        metadata = plan.schema.metadata | {b"sources": brought.encode()}
        write_sealed(plan.replace_schema_metadata(metadata), sweep.plan)
    return results


@pytest.fixture
def stranger(theirs, tmp_path, monkeypatch):
    """Someone with a folder of their own, who allows nothing; in the end nothing was run."""
    monkeypatch.delenv("WINIT_ALLOW")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    yield run
    assert not (theirs.folder / "told").exists()


@pytest.mark.parametrize("command", ["summarize", "claims", "plot", "report"])
def test_findings_are_made_of_data_alone(stranger, theirs, command):
    made = stranger(command, "--results", theirs.folder)
    assert made.exit_code == 0, made.output
    if command == "plot":
        names = [path.name for path in theirs.figures.glob("*.svg")]
        assert [name for name in names if name.startswith("phase-") and "own.py_phi" in name]
        assert [name for name in names if name.startswith("trainability-") and "own.py_phi" in name]


def test_asking_and_looking_run_nothing(stranger, theirs):
    asked = stranger("query", "SELECT count(*) FROM layers", "--results", theirs.folder)
    assert asked.exit_code == 0
    assert winit.open_results(theirs.folder).count("FROM cells") == 12
    for command in ("status", "collect"):
        done = stranger(command, "--config", theirs.config)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("command", ["plan", "sweep", "train", "theory"])
def test_where_code_must_run_it_is_refused_with_the_mend(stranger, theirs, command):
    refused = stranger(command, "--config", theirs.config)
    assert refused.exit_code == 2
    assert f"WINIT_ALLOW={theirs.folder}/own.py" in refused.output


@pytest.mark.parametrize("label", ["own.py:law", "package:law", "package.module:law", "plain:law"])
def test_a_command_that_is_started_in_the_folder_runs_nothing_of_it(stranger, theirs, monkeypatch, label):
    monkeypatch.chdir(theirs.folder)
    monkeypatch.syspath_prepend(str(theirs.folder))  # as `python -m winit` does
    for arguments in (("simulate", label, "relu"), ("phase", label)):
        refused = stranger(*arguments)
        assert refused.exit_code != 0
        assert f"lies in the results folder {theirs.folder}" in refused.output
        assert "WINIT_ALLOW=" in refused.output


def test_nor_does_one_that_names_what_python_itself_would_load(stranger, theirs, monkeypatch):
    # Some systems have a module of this name already, which is then the one that is meant.
    monkeypatch.chdir(theirs.folder)
    monkeypatch.syspath_prepend(str(theirs.folder))
    assert stranger("simulate", "sitecustomize:law", "relu").exit_code != 0


def test_what_the_user_allows_is_run(theirs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINIT_ALLOW", f"/nowhere:{theirs.folder}/own.py")
    told = Path(theirs.folder / "told")
    winit.simulate(f"{theirs.folder}/own.py:law", "relu", depth=1, width=4, batch=4)
    assert told.exists()  # so that these tests could see it
    told.unlink()


@pytest.mark.parametrize("command", ["plot", "report"])
def test_what_is_kept_of_a_function_and_is_damaged_is_an_error_with_the_mend(stranger, theirs, command):
    kept = theirs.functions.read_bytes()
    theirs.functions.write_bytes(kept[:-20])
    try:
        made = stranger(command, "--results", theirs.folder)
    finally:
        theirs.functions.write_bytes(kept)
    assert made.exit_code == 1
    assert f"{theirs.functions} is damaged; `winit theory --config" in made.output


def test_without_what_is_kept_of_a_function_its_picture_alone_is_missing(stranger, theirs, capsys):
    kept = theirs.functions.read_bytes()
    theirs.functions.unlink()
    try:
        assert charts.phases(Database(theirs.folder)) == []
    finally:
        theirs.functions.write_bytes(kept)
    assert "`winit theory --config" in capsys.readouterr().err
    assert len(charts.phases(Database(theirs.folder))) == 1
