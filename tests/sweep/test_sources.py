"""Reading a user's own functions: files, modules, and the example of the documentation."""

import re
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest
import yaml
from samples import make_results, tiny

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
