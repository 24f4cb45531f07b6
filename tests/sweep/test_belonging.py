"""What belongs together: plans and configs that are whole, and that were made of each other."""

import json
import os
import random
import shutil

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from samples import TINY, make_findings, make_results, tiny

import winit
from winit.cli import main
from winit.errors import WinitError
from winit.findings.claims.tested import write_claims
from winit.findings.database import Database
from winit.findings.own import functions_in
from winit.findings.predictions import write_theory
from winit.findings.summary import summarize
from winit.findings.together import check_together
from winit.sweep.belonging import canonical_text, looked_at, mark, out_of_place, planned, write_plans
from winit.sweep.config import Config
from winit.sweep.layout import Results
from winit.sweep.plan import make_plan, make_training_plan, sources_in, write_plan
from winit.sweep.problems import ConfigError

MEND = "`winit plan --write`"


def write(results, config):
    return write_plans(config, results, make_plan(config), make_training_plan(config))


@pytest.fixture
def results(tmp_path):
    """A folder with the plans of the tiny config."""
    results = Results(tmp_path / "results")
    write(results, tiny())
    return results


def damaged(content, flips, cuts):
    """``content`` with single bits flipped all over it, and cut off in many places."""
    choose = random.Random(0)
    for _ in range(flips):
        other = bytearray(content)
        other[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
        yield bytes(other)
    yield from (content[: len(content) * k // cuts] for k in range(cuts))


@pytest.mark.parametrize("of", ["plan", "training_sweep.plan"])
def test_a_damaged_plan_is_never_read_as_another_and_the_mend_is_said(results, of):
    sweep = results.training_sweep if "." in of else results
    whole = sweep.read_plan()
    content = sweep.plan.read_bytes()
    for other in damaged(content, 600, 200):
        sweep.plan.write_bytes(other)
        with pytest.raises(WinitError, match=MEND):
            sweep.read_plan()
    sweep.plan.write_bytes(content)
    assert sweep.read_plan().equals(whole, check_metadata=True)


def test_a_damaged_config_of_a_results_folder_is_never_read_as_another(results):
    content = results.config.read_bytes()
    config = Config.read(results.config)
    for other in damaged(content, 60, 20):
        results.config.write_bytes(other)
        try:
            read = Config.read(results.config)
        except ConfigError:
            continue
        assert read == config, other


def test_an_edited_config_of_a_results_folder_says_how_to_keep_the_edit(results):
    text = results.config.read_text()
    results.config.write_text(text.replace("batch: 20", "batch: 21"))
    with pytest.raises(ConfigError, match="take its first line away"):
        Config.read(results.config)
    _, edited = results.config.read_text().split("\n", 1)
    results.config.write_text(edited)
    assert Config.read(results.config).probe.batch == 21


def test_a_plan_of_an_older_winit_is_told(results):
    pq.write_table(make_plan(tiny()), results.plan)
    with pytest.raises(
        WinitError, match=f"an older winit made it.*{MEND}.*nothing that is stored is computed"
    ):
        planned(tiny(), results)


def test_a_plan_is_that_of_its_config_in_any_spelling(results):
    grid = TINY["grids"][0]
    turned = tiny(**{axis: grid[axis][::-1] for axis in ("initializer", "activation", "depth")})
    elsewhere = tiny().model_copy(
        update={
            name: Config.checked(TINY | changes, "test").__getattribute__(name)
            for name, changes in (
                ("thresholds", {"thresholds": {"dead": 0.1}}),
                ("sweep", {"sweep": {"block_seconds": 0.3}}),
                ("results", {"results": "elsewhere"}),
            )
        }
    )
    for config in (tiny(), turned, elsewhere):
        for sweep in (results, results.training_sweep):
            assert planned(config, sweep).num_rows == sweep.read_plan().num_rows


@pytest.mark.parametrize(
    "changes", [{"depth": [1, 5]}, {"seed": [0]}, {"probe": {"batch": 30}}, {"activation": ["tanh", "gelu"]}]
)
def test_a_plan_of_another_config_is_refused(results, changes):
    with pytest.raises(WinitError, match=f"made from another config.*{MEND}"):
        planned(tiny(**changes), results)
    # That of training is the same.
    assert planned(tiny(**changes), results.training_sweep).num_rows


def test_a_plan_of_cells_is_none_of_training_runs(results):
    results.training_sweep.plan.write_bytes(results.plan.read_bytes())
    with pytest.raises(WinitError, match=f"is no plan of training runs.*{MEND}"):
        planned(tiny(), results.training_sweep)


OWN = "import winit\ndef f(layer): return winit.Law('constant', mean=1.0)\n"


def test_what_is_computed_is_the_users_file_and_not_what_a_plan_brings(results, tmp_path):
    own = tmp_path / "own.py"
    own.write_text(OWN)
    config = tiny(initializer=[f"{own}:f"])
    write(results, config)
    assert OWN.encode() not in results.plan.read_bytes()
    assert sources_in(results.read_plan()) == ()
    # One that brings a text, and says that it was made of the user's file.
    plan = make_plan(config)
    brought = json.dumps([{"name": str(own), "text": "theirs", "package": ""}])
    forged = plan.replace_schema_metadata(
        plan.schema.metadata | {b"winit.sources": brought, b"sources": brought}
    )
    write_plan(forged, results.plan)
    assert [source.text for source in sources_in(planned(config, results))] == [OWN]
    own.write_text(OWN.replace("1.0", "2.0"))
    with pytest.raises(WinitError, match=f"a function of yours has changed since.*{MEND}"):
        planned(config, results)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def configs(tmp_path):
    """Two configs with one results folder."""
    made = []
    for name, depth in (("a", [1, 4]), ("b", [2])):
        grid = TINY["grids"][0] | {"depth": depth, "seed": 0, "width": 8}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"grids": [grid], "results": str(tmp_path / "results")}))
        made.append(path)
    return made


def test_steps_by_hand_go_on_with_the_config_that_was_planned_and_with_no_other(configs, tmp_path):
    a, b = configs
    assert run("plan", "--config", a, "--write").exit_code == 0
    kept = tmp_path / "results/config.yaml"
    assert Config.read(kept) == Config.read(a)
    again = run("plan", "--config", a, "--write")
    assert "another config" not in again.output
    replaced = run("plan", "--config", b, "--write")
    assert replaced.exit_code == 0
    assert "had the plans of another config" in replaced.output
    assert Config.read(kept) == Config.read(b)
    for step in ("sweep", "collect", "theory", "status"):
        refused = run(step, "--config", a)
        assert refused.exit_code == 1
        assert "made from another config" in refused.output, step
        assert MEND in refused.output
    for config in (b, kept):
        assert run("status", "--config", config).exit_code == 0
        assert run("theory", "--config", config).exit_code == 0


def test_a_config_of_a_results_folder_is_looked_at_without_running_code(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(OWN)
    config = tiny(initializer=[f"{own}:f"])
    results = Results(tmp_path / "results")
    write(results, config)
    own.unlink()
    looked = looked_at(results.config)
    assert looked.plan_of(results).num_rows == 24
    assert looked.thresholds == config.thresholds
    with pytest.raises(ConfigError, match=r"own\.py cannot be read"):
        Config.read(results.config)


def test_a_mixture_is_refused_where_it_is_used_and_said_where_it_is_asked(tmp_path):
    few = dict(depth=[2], width=[8], activation=["relu"])
    config, grown = tiny(seed=[0], **few), tiny(seed=[0, 1], **few)
    results = make_findings(tmp_path / "results", config)
    write_claims(results)
    assert run("query", "FROM cells", "--results", results.folder).stderr == ""
    winit.open_results(results.folder)
    older = results.theory.read_bytes()
    make_results(results.folder, grown)
    write_theory(results, grown)
    results.theory.write_bytes(older)
    with pytest.raises(
        WinitError, match=r"theory was made of another plan than .*plan\.parquet; `winit theory"
    ):
        summarize(results)
    asked = run("query", "SELECT count(*) FROM cells", "--results", results.folder)
    assert asked.exit_code == 0
    assert "theory was made of another plan" in asked.stderr
    assert "summary was made of another plan" in asked.stderr
    assert "cells was made" not in asked.stderr
    with pytest.warns(UserWarning, match="theory was made of another plan"):
        winit.open_results(results.folder)
    for command in ("plot", "report", "summarize"):
        refused = run(command, "--results", results.folder)
        assert refused.exit_code == 1
        assert "`winit theory --config" in refused.output
    write_theory(results, grown)
    summarize(results)
    write_claims(results)
    assert run("query", "FROM cells", "--results", results.folder).stderr == ""
    # Tables without their plan, as they are sent to somebody, are held against the cells.
    results.plan.unlink()
    results.theory.write_bytes(older)
    with pytest.raises(WinitError, match="theory was made of another plan than cells"):
        summarize(results)


@pytest.mark.parametrize("view", ["layers", "cells", "theory", "training", "training_runs"])
def test_no_bit_of_a_table_can_change_without_a_word(view, tmp_path):
    results = make_findings(tmp_path / "results", tiny(seed=[0], depth=[1], width=[8]))
    path = next(results.layers.iterdir()) if view == "layers" else getattr(results, view)
    content = path.read_bytes()
    draw = random.Random(0)
    for _ in range(25):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(WinitError, match=f"{view} cannot be read .*makes it anew"):
            check_together(results)
        with pytest.raises(WinitError, match=f"{view} cannot be read .*makes it anew"):
            Database(results.folder).count(f"FROM {view}")
    path.write_bytes(content)
    check_together(results)


def test_files_that_were_not_written_are_not_read_without_a_word(tmp_path):
    results = make_findings(tmp_path / "results", tiny(seed=[0], depth=[1], width=[8]))
    (layers,) = results.layers.iterdir()
    copy = layers.with_name("layers-0000 (copy).parquet")
    copy.write_bytes(layers.read_bytes())
    with pytest.raises(WinitError, match="has 2 files, and 1 were written; `winit collect"):
        summarize(results)
    assert "2 files" in run("query", "FROM cells", "--results", results.folder).stderr
    copy.unlink()
    summarize(results)
    results.plan.write_bytes(results.cells.read_bytes())
    with pytest.raises(WinitError, match=r"plan\.parquet is another table, no plan; `winit plan --write`"):
        results.read_plan()
    results.theory.unlink()
    os.mkfifo(results.theory)
    assert run("query", "FROM cells", "--results", results.folder).exit_code == 0
    with pytest.raises(WinitError, match=r"theory cannot be read .*no regular file"):
        Database(results.folder).count("FROM theory")


def test_a_results_folder_that_was_copied_is_mended_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tiny(seed=[0], depth=[1], width=[8]).model_copy(update={"results": "old"})
    old = make_findings(tmp_path / "old", config)
    shutil.copytree("old", "new")
    new = Results(tmp_path / "new")
    before = old.cells.stat()
    new.cells.write_bytes(new.cells.read_bytes()[:100])
    for place in ("new/config.yaml", new.config):
        done = run("collect", "--config", place)
        assert done.exit_code == 0, done.output
        assert "says results: 'old'; it lies in" in done.stderr
    assert old.cells.stat() == before
    assert new.cells.read_bytes() == old.cells.read_bytes()
    monkeypatch.chdir("new")
    assert run("status", "--config", "config.yaml").exit_code == 0
    assert run("status", "--config", "../old/config.yaml").exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert "it lies in" not in run("status", "--config", "old/config.yaml").stderr


def test_claims_may_come_before_training(tmp_path):
    results = make_findings(tmp_path / "results", tiny(seed=[0], depth=[1], width=[8]))
    tables = {path: path.read_bytes() for path in (results.training, results.training_runs)}
    for path in tables:
        path.unlink()
    write_claims(results)
    check_together(results)
    for path, content in tables.items():
        path.write_bytes(content)
    with pytest.raises(WinitError, match=r"claims was made of another plan than .*; `winit claims"):
        check_together(results)
    write_claims(results)
    check_together(results)


def test_a_damaged_theory_is_not_compared_with(tmp_path):
    results = make_findings(tmp_path / "results", tiny(seed=[0], depth=[1], width=[8]))
    content = results.theory.read_bytes()
    for other in damaged(content[:-1], 100, 1):
        results.theory.write_bytes(other + content[-1:])
        if other != content[:-1]:
            with pytest.raises(WinitError, match="winit theory"):
                summarize(results)


def test_what_is_kept_of_functions_is_whole_or_refused(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("import numpy as np\ndef phi(z): return np.tanh(z), 1 - np.tanh(z) ** 2\n")
    results = Results(tmp_path / "results")
    config = tiny(activation=[f"{own}:phi"], initializer=["he_normal"])
    write(results, config)
    write_theory(results, config)
    kept = functions_in(results.folder)
    assert list(kept.phases) == [f"{own}:phi"]
    content = results.functions.read_bytes()
    for other in damaged(content, 40, 10):
        results.functions.write_bytes(other)
        try:
            assert functions_in(results.folder) == kept
        except WinitError as error:
            assert "is damaged; `winit theory --config" in str(error)  # noqa: PT017 - either is right


def test_what_is_out_of_place_is_found(results, tmp_path):
    assert out_of_place(tiny(), Results(tmp_path / "nowhere"), 1) == []
    assert out_of_place(tiny(), results, 1) == []
    (found,) = out_of_place(tiny(), results, 2)
    assert "another number of shards" in found
    (found,) = out_of_place(tiny(seed=[0]), results, 1)
    assert "config.yaml is damaged, or of another config" in found
    results.training_sweep.plan.write_bytes(b"")
    (found,) = out_of_place(tiny(), results, 1)
    assert found == f"{results.training_sweep.plan} is empty"
    results.config.write_text(canonical_text(tiny(depth=[3])))
    write_plan(make_plan(tiny(depth=[3])), results.plan)
    assert len(out_of_place(tiny(), results, 1)) == 1


def test_a_mark_is_old_until_something_is_found(tmp_path):
    made = tmp_path / "made"
    made.touch()
    path = tmp_path / "locks/remake"
    mark(path, [])
    assert path.stat().st_mtime < made.stat().st_mtime
    before = path.stat()
    mark(path, [])
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    mark(path, ["damaged"])
    assert path.stat().st_mtime_ns >= made.stat().st_mtime_ns
    assert "damaged" in path.read_text()
