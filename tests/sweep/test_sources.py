"""Reading a user's own functions: files, modules, and the example of the documentation."""

import re
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest
import yaml
from samples import TINY, make_results, tiny

import winit
from winit.network.initializers import initializer
from winit.network.labels import LabelError
from winit.sweep.config import Config
from winit.sweep.kinds import cells_of
from winit.sweep.plan import make_plan, sources_in
from winit.sweep.problems import ConfigError
from winit.sweep.sources import read_source, with_source

DOCUMENT = Path(__file__).parents[2] / "docs/your-own.md"


def test_paths_have_one_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("def f(layer): return layer")
    for spelling in ("own.py:f", "./own.py:f", "x/../own.py:f", " own.py:f "):
        label, (source,) = with_source(spelling)
        assert (label.strip(), source.name) == ("own.py:f", "own.py")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two modules, one of which imports the other."""
    folder = tmp_path / "mypackage"
    folder.mkdir()
    (folder / "__init__.py").write_text("from .one import half\n")
    (folder / "two.py").write_text("GAIN = 0.5\n")
    (folder / "one.py").write_text(
        "import winit\nfrom .two import GAIN\ndef half(layer): return winit.Law('normal', GAIN)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "mypackage"
    for name in [name for name in sys.modules if name.startswith("mypackage")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["mypackage.one", "mypackage"])
def test_a_function_of_a_module_is_found_and_may_import_its_neighbours(package, name):
    found = initializer(f"{name}:half", (read_source(name),))
    assert found.is_iid
    rows = winit.simulate(f"{name}:half", "identity", depth=1, width=64)
    assert rows["w_std"][1].as_py() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("name", ["no_such.module", "nowhere.py", "math", "..strange"])
def test_what_is_not_there_is_refused(name):
    with pytest.raises(LabelError, match=re.escape(name)):
        read_source(name)


def test_the_plan_keeps_the_text_that_was_planned(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("import winit\ndef f(layer): return winit.Law('constant', mean=1.0)\n")
    plan = make_plan(tiny(initializer=["he_normal", f"{own}:f"]))
    own.write_text("edited")
    (source,) = sources_in(plan)
    assert "mean=1.0" in source.text
    for cell in cells_of(plan):
        assert (cell.sources == (source,)) == (cell.initializer != "he_normal")
        assert cell.id in plan["cell_id"].to_pylist()


def test_what_does_not_fit_together_is_refused_with_its_place():
    with pytest.raises(ConfigError) as caught:
        tiny(initializer=["he_normal", "critical", "random_walk"], activation=["relu", "sign", "gelu"])
    text = str(caught.value)
    assert "grids[0]: with sign, critical: " in text
    assert "with gelu, random_walk: " in text
    assert "with relu" not in text


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = dict(re.findall(r"`(mine\.\w+)`:\n\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))
    for name, text in blocks.items():
        (tmp_path / name).write_text(text)
    data = yaml.safe_load(blocks["mine.yaml"])
    data["grids"][0] |= {"depth": 2, "width": 32, "probe": {"batch": 40}}
    results = make_results(tmp_path / "results", Config.checked(data, "mine.yaml"))
    layers = winit.open_results(results.folder).sql("FROM layers").to_arrow_table()
    assert len(layers["initializer"].unique()) == 4
    assert "mine.py:bump(sharpness=0.5)" in layers["activation"].unique().to_pylist()
    assert pc.all(pc.equal(layers["nonfinite_fraction"], 0)).as_py()


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's folder, in which the command was started; nothing else is allowed."""
    monkeypatch.delenv("WINIT_ALLOW")
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


CODE = "import winit\ndef f(layer): return winit.Law('normal', 1.0)\n"


def test_code_in_the_folder_of_the_user_is_read_however_it_is_named(mine):
    (mine / "inner").mkdir()
    (mine / "inner/own.py").write_text(CODE)
    for name in ("inner/own.py", "./inner/own.py", f"{mine}/inner/own.py"):
        assert read_source(name).text == CODE


def test_code_from_elsewhere_is_refused_until_it_is_allowed(mine, tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    own = theirs / "own.py"
    own.write_text(CODE)
    (mine / "link.py").symlink_to(own)
    (mine / "folder").symlink_to(theirs)
    for name in (str(own), "../theirs/own.py", "link.py", "folder/own.py"):
        with pytest.raises(
            LabelError, match=re.escape(f"{name} is not run, since it lies outside")
        ) as refused:
            read_source(name)
        assert f"WINIT_ALLOW={own}" in str(refused.value)
    for allowed in (own, theirs, f"/nowhere:{theirs}"):
        monkeypatch.setenv("WINIT_ALLOW", str(allowed))
        assert read_source("link.py").text == CODE
    monkeypatch.setenv("WINIT_ALLOW", f"{theirs}/other.py")
    with pytest.raises(LabelError, match="is not run"):
        read_source("link.py")


@pytest.mark.parametrize("sign", ["plan.parquet", "cells.parquet", "layers/layers-0000.parquet"])
def test_code_in_a_results_folder_is_data(sign, mine):
    results = mine / "results"
    (results / "deep/er").mkdir(parents=True)
    (results / sign).parent.mkdir(exist_ok=True)
    (results / sign).touch()
    for name in ("results/own.py", "results/deep/er/own.py"):
        (mine / name).write_text(CODE)
        with pytest.raises(LabelError, match=r"lies in the results folder .*/results, and results are data"):
            read_source(name)


def test_an_installed_module_is_the_users_own_wherever_it_is(mine, package):
    assert read_source(f"{package}.one").text.startswith("import winit")


def test_a_package_in_a_results_folder_is_not_even_looked_into(mine, monkeypatch):
    (mine / "plan.parquet").touch()
    (mine / "theirs").mkdir()
    (mine / "theirs/__init__.py").write_text("raise RuntimeError('it was run')")
    (mine / "theirs/inner.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(mine))
    for name in ("theirs", "theirs.inner"):
        with pytest.raises(LabelError, match="lies in the results folder"):
            read_source(name)


def test_which_code_will_run_is_said_once(mine, capsys, monkeypatch):
    monkeypatch.setattr("winit.sweep.sources._announced", set())
    for name in ("first.py", "second.py"):
        (mine / name).write_text(CODE)
    changes = dict(initializer=["first.py:f", "zeros"], activation="relu")
    data = {"grids": [TINY["grids"][0] | changes, TINY["grids"][0] | {"initializer": "second.py:f"}]}
    (mine / "mine.yaml").write_text(yaml.safe_dump(data))
    for _ in range(2):
        Config.read(mine / "mine.yaml")
    assert capsys.readouterr().err == "winit: runs code of yours: first.py, second.py\n"
    tiny()
    assert capsys.readouterr().err == ""
