"""The commands: help with an example, errors in a line with the mend."""

import pytest
import yaml
from click.testing import CliRunner
from samples import TINY, make_results, tiny

import winit
from winit.cli import main
from winit.findings.summary import summarize


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_with_an_example(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Example: winit {name}" in result.output
    assert main.commands[name].help


def test_plan_then_status(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(TINY | {"results": str(tmp_path / "results")}))
    missing = run("status", "--config", str(config))
    assert missing.exit_code == 1
    assert "run `winit plan` first" in missing.output
    assert "96 cells, 336 layer rows" in run("plan", "--config", str(config)).output
    assert "0 cells done, 96 missing, 0 failed" in run("status", "--config", str(config)).output
    early = run("collect", "--config", str(config))
    assert early.exit_code == 1
    assert "96 of 96 planned cells are not in the store" in early.output


@pytest.mark.parametrize("shard", ["3", "0-of-2", "3-of-2", "a-of-b"])
def test_a_shard_that_cannot_be_is_refused(shard, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(TINY))
    result = run("sweep", "--config", str(config), "--shard", shard)
    assert result.exit_code == 2
    assert "3-of-64" in result.output


def test_a_plan_of_another_number_of_shards_is_refused(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(TINY | {"results": str(tmp_path), "sweep": {"block_seconds": 1e-4}}))
    assert run("plan", "--config", str(config), "--shards", "4").exit_code == 0
    result = run("sweep", "--config", str(config), "--shard", "1-of-2")
    assert result.exit_code == 1
    assert "winit plan --shards 2" in result.output


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


@pytest.mark.parametrize(("name", "entry"), [("initializers", "orthogonal"), ("activations", "silu")])
def test_the_catalogue_is_listed(name, entry):
    assert entry in run(name).output


def test_query_and_the_python_interface_see_the_same(tmp_path):
    summarize(make_results(tmp_path, tiny()))
    sql = "SELECT count(*) AS cells FROM cells"
    assert "96" in run("query", sql, "--results", str(tmp_path)).output
    assert winit.open_results(tmp_path).sql(sql).fetchall() == [(96,)]
    refused = run("query", "SELECT * FROM nothing", "--results", str(tmp_path))
    assert refused.exit_code == 1
    assert "layers, cells, summary" in refused.output


def test_simulate_gives_the_numbers_of_the_sweep(tmp_path):
    results = make_results(tmp_path, tiny())
    alone = winit.simulate("he_normal", "relu", depth=4, width="12-4", seed=2, batch=20)
    cell = alone["cell_id"][0].as_py()
    swept = winit.open_results(results.folder).sql(f"FROM layers WHERE cell_id = '{cell}' ORDER BY layer")
    assert swept.to_arrow_table().to_pylist() == alone.to_pylist()


def test_debug_shows_the_traceback():
    result = run("--debug", "query", "SELECT 1", "--results", "nowhere")
    assert isinstance(result.exception, winit.WinitError)
