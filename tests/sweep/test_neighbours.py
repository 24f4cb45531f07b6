"""Modules beside a user's file: found, shipped, part of the identity, and the file's own alone."""

import importlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from samples import TINY, make_results, tiny

import winit
from winit.network.activations import activation
from winit.network.cells import Cell, Probe
from winit.network.initializers import initializer
from winit.network.labels import LabelError
from winit.network.sources import Source
from winit.network.training import Run, Task
from winit.sweep.config import Config
from winit.sweep.kinds import cells_of
from winit.sweep.plan import make_plan, sources_in
from winit.sweep.sources import read_source, with_source

LAW = "import winit\ndef init(layer): return winit.Law('constant', mean=float(GAIN))\n"


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A user's folder, in which the command was started; nothing else is allowed."""
    monkeypatch.delenv("WINIT_ALLOW")
    monkeypatch.setattr("winit.sweep.sources._announced", set())
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def gain_of(label: str, source: Source) -> float:
    """The mean that the law of an initializer has."""
    law = initializer(label, (source,)).law_with(activation("identity"))
    assert law is not None
    return law.mean


def away(folder: Path) -> None:
    """Every file in a folder is gone: what was read is what is run."""
    for file in folder.rglob("*.py"):
        file.unlink()


# What stands above LAW, and what lies beside: of all these GAIN is 3.
WAYS = {
    "import": ("import helpers\nGAIN = helpers.GAIN\n", {"helpers.py": "GAIN = 3"}),
    "import as": ("import helpers as h\nGAIN = h.GAIN\n", {"helpers.py": "GAIN = 3"}),
    "from": ("from helpers import GAIN\n", {"helpers.py": "GAIN = 3"}),
    "star": ("from helpers import *\n", {"helpers.py": "GAIN = 3"}),
    "a package": ("from tools import GAIN\n", {"tools/__init__.py": "GAIN = 3"}),
    "a module of a package": (
        "import tools.gains\nGAIN = tools.gains.GAIN\n",
        {"tools/__init__.py": "", "tools/gains.py": "GAIN = 3"},
    ),
    "a module of a package, as": (
        "import tools.gains as g\nGAIN = g.GAIN\n",
        {"tools/__init__.py": "", "tools/gains.py": "GAIN = 3"},
    ),
    "a module from a package": (
        "from tools import gains\nGAIN = gains.GAIN\n",
        {"tools/__init__.py": "", "tools/gains.py": "GAIN = 3"},
    ),
    "from a module of a deep package": (
        "from tools.deep.gains import GAIN\n",
        {"tools/__init__.py": "", "tools/deep/__init__.py": "", "tools/deep/gains.py": "GAIN = 3"},
    ),
    "relative within a package": (
        "from tools import GAIN\n",
        {
            "tools/__init__.py": "from .gains import GAIN",
            "tools/gains.py": "from . import base\nfrom .deep import more\nGAIN = base.ONE + more.TWO",
            "tools/base.py": "ONE = 1",
            "tools/deep/__init__.py": "",
            "tools/deep/more.py": "from ..base import ONE\nTWO = ONE + 1",
        },
    ),
    "from one to the next": (
        "from one import GAIN\n",
        {
            "one.py": "from two import GAIN",
            "two.py": "import three\nGAIN = three.GAIN",
            "three.py": "GAIN = 3",
        },
    ),
    "in a circle": (
        "import one\nGAIN = one.gain()\n",
        {"one.py": "import two\ndef gain(): return two.TWO + 1", "two.py": "import one\nTWO = 2"},
    ),
    "within a function": (
        "def gain():\n    import helpers\n    return helpers.GAIN\nGAIN = gain()\n",
        {"helpers.py": "GAIN = 3"},
    ),
    "in an attempt": (
        "try:\n    from helpers import GAIN\nexcept ImportError:\n    GAIN = 0\n",
        {"helpers.py": "GAIN = 3"},
    ),
    "a module or a package": (
        "from tools import GAIN\n",
        {"tools/__init__.py": "GAIN = 3", "tools.py": "GAIN = 0"},
    ),
    "called as a library is": ("from random import GAIN\n", {"random.py": "GAIN = 3"}),
    "called as NumPy is": ("from numpy import GAIN\n", {"numpy.py": "GAIN = 3"}),
    "with classes": (
        "from helpers import Gain\nGAIN = Gain(3).value\n",
        {"helpers.py": "import dataclasses\n@dataclasses.dataclass\nclass Gain:\n    value: 'float'"},
    ),
    "with an encoding": (
        "from helpers import größe as GAIN\n",
        {"helpers.py": "# -*- coding: utf-8 -*-\ngröße = 3"},
    ),
}


@pytest.mark.parametrize("folder", [".", "sub"])
@pytest.mark.parametrize("way", WAYS)
def test_a_module_beside_the_file_is_imported_however_that_is_written(way, folder, mine):
    above, beside = WAYS[way]
    written(mine / folder, {"own.py": above + LAW, **beside, "unrelated.py": "1 / 0"})
    label, (source,) = with_source(f"{folder}/own.py:init")
    used = {name for name in beside if name != "tools.py"}
    assert {name for name, _ in source.beside} == used
    path = sys.path[:]
    plain = set(sys.modules)
    away(mine)
    assert gain_of(label, source) == 3
    assert sys.path == path
    assert {name for name in set(sys.modules) - plain if not name.startswith("winit_source_")} == set()


def test_what_is_beside_travels_as_text_to_a_process_without_the_files(mine, tmp_path):
    above, beside = WAYS["relative within a package"]
    written(mine, {"own.py": above + LAW, **beside})
    _, (source,) = with_source("own.py:init")
    cell = Cell("own.py:init", "relu", 1, "4", 0, Probe(batch=4), (source,))
    code = (
        "import pickle, sys\nfrom winit.network.kernel import measure\n"
        "(found,) = measure([pickle.load(sys.stdin.buffer)])\nprint(found.table['w_mean'][1], found.cell.id)"
    )
    (tmp_path / "worker").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(cell),
        cwd=tmp_path / "worker",
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split() == ["3.0", cell.id]


def test_two_files_have_each_its_own_helpers(mine):
    for folder, gain in (("a", 2), ("b", 5), ("c", 7)):
        written(mine / folder, {"own.py": "import helpers\nGAIN = helpers.GAIN\n" + LAW})
        written(mine / folder, {"helpers.py": f"GAIN = {gain}"})
    found = {folder: with_source(f"{folder}/own.py:init") for folder in "abc"}
    for _ in range(2):
        gains = {folder: gain_of(label, sources[0]) for folder, (label, sources) in found.items()}
        assert gains == {"a": 2, "b": 5, "c": 7}
    assert "helpers" not in sys.modules


@pytest.mark.parametrize("name", ["random", "numpy", "json", "colorsys", "winit_no_library"])
def test_a_neighbour_called_as_a_library_is_nobody_elses(name, mine):
    library = importlib.import_module(name) if name != "winit_no_library" else None
    written(mine, {"own.py": f"import {name}\nGAIN = {name}.GAIN\n" + LAW, f"{name}.py": "GAIN = 4"})
    written(mine, {"other/own.py": f"import numpy\nGAIN = numpy.float64(1)\n{LAW}"})
    label, (source,) = with_source("own.py:init")
    assert gain_of(label, source) == 4
    assert gain_of("other/own.py:init", read_source("other/own.py")) == 1
    assert sys.modules.get(name) is library


def test_without_a_neighbour_ids_are_what_they_were(mine):
    """Written down before there were neighbours."""
    text = (
        "import numpy as np\nimport winit\ndef f(layer): return winit.Law('normal', 1.0)\n"
        "def phi(z): return np.tanh(z), 1 - np.tanh(z) ** 2\n"
    )
    written(mine, {"own.py": text, "helpers.py": "", "winit/__init__.py": "", "numpy/data.txt": ""})
    own = (read_source("own.py"),)
    assert own[0].digest == "cffc9bfa0a6ed190"
    assert Cell("own.py:f", "own.py:phi", 3, "8", 0, Probe(), own).id == "b48600fbfa9e2325b253"
    assert Cell("he_normal", "own.py:phi", 3, "8", 0, Probe(), own).id == "416b846e4b91e932dc86"
    assert Run("own.py:f", "own.py:phi", 2, "16", 0.1, 0, Task(), own).id == "420ec34e756ccf093bc2"
    module = (Source("package.module", text, "package"),)
    assert Cell("package.module:f", "relu", 3, "8", 0, Probe(), module).id == "b50d5171e1dfbd2185dc"


@pytest.mark.parametrize("edited", ["own.py", "one.py", "three.py"])
def test_an_edited_neighbour_makes_other_cells_and_nothing_else_does(edited, mine):
    above, beside = WAYS["from one to the next"]
    written(mine, {"own.py": above + LAW, **beside})
    functions = {"initializer": ["he_normal", "own.py:init"]}
    plan = make_plan(tiny(**functions))
    before = dict(zip(plan["cell_id"].to_pylist(), plan["initializer"].to_pylist(), strict=True))
    (mine / "unrelated.py").write_text("GAIN = 9")
    assert make_plan(tiny(**functions))["cell_id"].to_pylist() == list(before)
    (mine / edited).write_text((mine / edited).read_text() + "\n# edited\n")
    after = set(make_plan(tiny(**functions))["cell_id"].to_pylist())
    assert {label for cell, label in before.items() if cell in after} == {"he_normal"}


def test_a_plan_keeps_what_was_beside(mine):
    above, beside = WAYS["from one to the next"]
    written(mine, {"own.py": above + LAW, **beside})
    plan = make_plan(tiny(initializer="own.py:init"))
    away(mine)
    (source,) = sources_in(plan)
    assert dict(source.beside) == beside
    assert json.loads(plan.schema.metadata[b"sources"])
    assert [cell.id for cell in cells_of(plan)] == plan["cell_id"].to_pylist()


def test_a_sweep_computes_with_what_is_beside_and_anew_when_it_is_edited(mine, tmp_path):
    written(mine, {"own.py": "from helpers import GAIN\n" + LAW, "helpers.py": "GAIN = 0.5"})
    grid = TINY["grids"][0] | {"initializer": "own.py:init"}
    for gain in (0.5, 0.25):
        (mine / "helpers.py").write_text(f"GAIN = {gain}")
        results = make_results(tmp_path / "results", Config.checked(TINY | {"grids": [grid]}, "test"))
        means = winit.open_results(results.folder).sql("SELECT DISTINCT w_mean FROM layers WHERE layer = 1")
        assert means.fetchall() == [(gain,)]


def test_neighbours_are_the_users_own_or_are_refused(mine, tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    written(theirs, {"helpers.py": "GAIN = 3"})
    written(mine, {"own.py": "import helpers\nGAIN = helpers.GAIN\n" + LAW})
    (mine / "helpers.py").symlink_to(theirs / "helpers.py")
    with pytest.raises(
        LabelError, match=r"^helpers\.py, which own\.py imports, is not run, .* outside"
    ) as refused:
        read_source("own.py")
    assert str(refused.value).endswith(f"set WINIT_ALLOW={theirs / 'helpers.py'}")
    monkeypatch.setenv("WINIT_ALLOW", "/elsewhere")
    with pytest.raises(LabelError) as refused:
        read_source("own.py")
    assert str(refused.value).endswith(f"set WINIT_ALLOW=/elsewhere:{theirs / 'helpers.py'}")
    monkeypatch.setenv("WINIT_ALLOW", str(theirs))
    assert gain_of("own.py:init", read_source("own.py")) == 3


def test_a_neighbour_in_a_results_folder_is_data(mine):
    written(mine, {"own.py": "from results import GAIN\n" + LAW, "results/__init__.py": "GAIN = 3"})
    (mine / "results/plan.parquet").touch()
    with pytest.raises(
        LabelError, match=r"results/__init__\.py, which own\.py imports, is not run, .* results are data"
    ):
        read_source("own.py")


def test_a_file_that_is_allowed_does_not_allow_what_lies_beside(mine, tmp_path, monkeypatch):
    written(tmp_path / "theirs", {"own.py": "from helpers import GAIN\n" + LAW, "helpers.py": "GAIN = 3"})
    monkeypatch.setenv("WINIT_ALLOW", str(tmp_path / "theirs/own.py"))
    with pytest.raises(LabelError, match=r"helpers\.py, which .*/own\.py imports, is not run"):
        read_source(str(tmp_path / "theirs/own.py"))


UNSEEN = {
    "importlib": "import importlib\nGAIN = importlib.import_module('helpers').GAIN\n",
    "__import__": "GAIN = __import__('helpers').GAIN\n",
    "exec": "exec('from helpers import GAIN')\n",
    "at the call": (
        "import importlib\nclass Late:\n"
        "    def __float__(self): return importlib.import_module('helpers').GAIN\nGAIN = Late()\n"
    ),
}


@pytest.mark.parametrize("on_the_path", [False, True])
@pytest.mark.parametrize("way", UNSEEN)
def test_an_import_that_cannot_be_seen_says_how_to_write_it(way, on_the_path, mine, monkeypatch):
    if on_the_path:  # as with `python -m winit`
        monkeypatch.syspath_prepend(str(mine))
    written(mine, {"own.py": UNSEEN[way] + LAW, "helpers.py": "GAIN = 3"})
    words = r"own\.py.* ModuleNotFoundError: helpers lies beside own\.py: .* by a statement, `import helpers`"
    with pytest.raises(LabelError, match=words):
        initializer("own.py:init", (read_source("own.py"),)).try_with(activation("relu"))
    assert "helpers" not in sys.modules


def test_that_a_neighbour_was_seen_makes_no_other_way_to_it(mine):
    written(mine, {"own.py": "import helpers\n" + UNSEEN["importlib"] + LAW, "helpers.py": "GAIN = 3"})
    with pytest.raises(LabelError, match="import it by a statement"):
        initializer("own.py:init", (read_source("own.py"),))


BROKEN = {
    "a fault in it": ("import helpers\n", {"helpers.py": "1 / 0"}, "ZeroDivisionError: division by zero"),
    "no Python": ("import helpers\n", {"helpers.py": "def f(:"}, r"SyntaxError: .*helpers\.py"),
    "what it has not": (
        "from helpers import no\n",
        {"helpers.py": ""},
        "ImportError: cannot import name 'no'",
    ),
    "a part that is not Python": (
        "import tools.fast\n",
        {"tools/__init__.py": "", "tools/fast.so": ""},
        r"no module tools\.fast, written in Python, lies beside own\.py",
    ),
    "a folder that is no package": ("import tools\n", {"tools/gains.py": ""}, "No module named 'tools'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_beside_is_said_in_one_line(name, mine):
    above, beside, words = BROKEN[name]
    written(mine, {"own.py": above + "GAIN = 1\n" + LAW, **beside})
    with pytest.raises(LabelError, match=rf"own\.py cannot be run: .*{words}"):
        initializer("own.py:init", (read_source("own.py"),))


def test_a_neighbour_that_cannot_be_read_is_named(mine):
    written(mine, {"own.py": "import helpers\n" + LAW})
    (mine / "helpers.py").write_bytes(b"\xff\xfe = 1")
    with pytest.raises(LabelError, match=r"helpers\.py, which own\.py imports, cannot be read"):
        read_source("own.py")


def test_the_line_about_code_that_is_run_names_neighbours(mine, capsys):
    written(mine, {"own.py": "import helpers\nfrom tools import x\nGAIN = 1\n" + LAW, "helpers.py": ""})
    written(mine, {"tools/__init__.py": "x = 1", "alone.py": "GAIN = 1\n" + LAW})
    grids = [TINY["grids"][0] | {"initializer": ["own.py:init", "alone.py:init"]}]
    (mine / "mine.yaml").write_text(yaml.safe_dump({"grids": grids}))
    Config.read(mine / "mine.yaml")
    said = "winit: runs code of yours: own.py (with helpers.py, tools/__init__.py), alone.py\n"
    assert capsys.readouterr().err == said


def test_random_numbers_of_a_neighbour_are_found_too(mine):
    written(mine, {"own.py": "import helpers\nGAIN = helpers.GAIN\n" + LAW})
    written(mine, {"helpers.py": "import numpy as np\nGAIN = np.random.normal()"})
    with pytest.raises(LabelError, match="gives other numbers in each process"):
        initializer("own.py:init", (read_source("own.py"),)).try_with(activation("relu"))


def test_compiled_functions_work_beside_a_neighbour(mine):
    text = (
        "import numba\nfrom helpers import twice\n@numba.njit\ndef f(z): return len(z) + abs(twice(z[0]))\n"
    )
    written(mine, {"own.py": f"{text}import numpy as np\nGAIN = f(np.ones(3)) - 2\n{LAW}"})
    written(mine, {"helpers.py": "import numba\n@numba.njit\ndef twice(x): return 2 * max(x, 0.0)"})
    assert gain_of("own.py:init", read_source("own.py")) == 3
