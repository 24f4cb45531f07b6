"""The config: what is accepted in which spelling, and every error at once."""

import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from samples import TINY, tiny

from winit.errors import WinitError
from winit.sweep.config import _SECTIONS, Config, ProbeSettings
from winit.sweep.folders import check_place
from winit.sweep.problems import LONGEST_PROBLEM, MOST_PROBLEMS, ConfigError
from winit.sweep.reading import DEEPEST, LARGEST_FILE, MOST_VALUES, from_yaml
from winit.sweep.settings import ClusterSettings

GRID = TINY["grids"][0]


def problems(data):
    with pytest.raises(ConfigError) as caught:
        Config.checked(data, "test")
    return {problem.path: problem.message for problem in caught.value.problems}


def test_all_errors_are_told_at_once_each_with_its_path_and_the_nearest_name():
    found = problems(
        {
            "grids": [
                GRID | {"initializer": ["he_normal", "he_norml"], "depth": [3, -2]},
                GRID | {"activation": []},
                {key: value for key, value in GRID.items() if key != "depth"} | {"depht": 3},
            ],
            "probe": {"input": "digit", "batch": 0},
            "treshold": {},
        }
    )
    assert found.keys() == {
        "grids[0].initializer[1]",
        "grids[0].depth[1]",
        "grids[1].activation",
        "grids[2].depth",
        "grids[2].depht",
        "probe.input",
        "probe.batch",
        "treshold",
    }
    assert "did you mean 'he_normal'?" in found["grids[0].initializer[1]"]
    assert "-2" in found["grids[0].depth[1]"]
    assert "at least 1" in found["grids[0].depth[1]"]
    assert "is empty" in found["grids[1].activation"]
    assert "did you mean 'depth'?" in found["grids[2].depht"]
    assert "did you mean 'digits'?" in found["probe.input"]
    assert "did you mean 'thresholds'?" in found["treshold"]


@pytest.mark.parametrize(
    ("axis", "value", "path", "word"),
    [
        ("depth", [0], "depth[0]", "at least 1"),
        ("depth", [2.5], "depth[0]", "whole number"),
        ("depth", [True], "depth[0]", "not a number"),
        ("depth", ["ten"], "depth[0]", "whole number"),
        ("depth", None, "depth[0]", "whole number"),
        ("depth", [], "depth", "is empty"),
        ("width", ["0"], "width[0]", "not a width"),
        ("width", ["64-"], "width[0]", "not a width"),
        ("width", ["64, 32"], "width[0]", "several as [64, 32]"),
        ("depth", "10-30", "depth[0]", "write [10, 20, 30]"),
        ("seed", "0-9", "seed[0]", "{first: 0, count: 10}"),
        ("width", ["64--16"], "width[0]", "not a width"),
        ("width", ["64-32-0"], "width[0]", "not a width"),
        ("width", ["64-32-1000001"], "width[0]", "at most"),
        ("width", [[64, "x"]], "width[0]", "not a width"),
        ("probe", {"input_width": 0}, "probe.input_width", "at least 1"),
        ("probe", {"input": "digits", "input_width": 65}, "probe", "has 64 entries"),
        ("probe", {"input": "pairs(correlation=0.5)", "input_width": 1}, "probe", "at least 2"),
        ("width", [-5], "width[0]", "not a width"),
        ("seed", [-1], "seed[0]", "at least 0"),
        ("seed", {"count": 0}, "seed.count", "at least 1"),
        ("seed", {"frist": 0, "count": 1}, "seed.frist", "did you mean 'first'?"),
        ("seed", {"first": 0}, "seed.count", "is missing"),
        ("initializer", [3], "initializer[0]", "not text"),
        ("initializer", ["normal(std=-1)"], "initializer[0]", "at least 0"),
        ("probe", {"batch": 3000, "input": "digits"}, "probe", "1797"),
        ("probe", {"bias_std": -1}, "probe.bias_std", "at least 0"),
        ("probe", {"dtype": "float16"}, "probe.dtype", "float32"),
        ("probe", {"histograms": "maybe"}, "probe.histograms", "true or false"),
        ("probe", 3, "probe", "not a mapping"),
        ("depth", [10**9], "depth[0]", "at most"),
        ("width", [10**9], "width[0]", "at most"),
        ("seed", [10**20], "seed[0]", "below"),
        ("seed", {"count": 10**10}, "seed.count", "at most"),
        ("probe", {"batch": 10**20}, "probe.batch", "at most"),
        ("probe", {"bias_std": float("nan")}, "probe.bias_std", "not a number"),
    ],
)
def test_bad_values_are_refused(axis, value, path, word):
    found = problems({"grids": [GRID | {axis: value}]})
    assert list(found) == [f"grids[0].{path}"]
    assert word in found[f"grids[0].{path}"]


@pytest.mark.parametrize("width", [["64-32-16-8"], [8, "64-32-16-8"], [[64, 32, 16, 8]]])
def test_a_width_names_no_more_layers_than_there_are(width):
    grid = GRID | {"width": width}
    found = problems({"grids": [grid | {"depth": [5, 3]}]})
    assert found == {"grids[0]": found["grids[0]"]}
    assert "names 4 hidden layers, and depth is 3; take a depth of at least 4" in found["grids[0]"]
    made = Config.checked({"grids": [grid | {"depth": [5, 4]}]}, "test")
    assert made.grids[0].width[-1] == "64-32-16-8"


@pytest.mark.parametrize("data", [None, [], "text", {}, {"grids": []}, {"grids": 3}, {"grids": [None]}])
def test_what_is_no_config_at_all_is_refused(data):
    assert problems(data)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.binary()
    | st.sampled_from([1, -1]).map(lambda sign: sign * 10**5000)  # which Python itself does not write
    | st.sampled_from(["9" * 5000, "x" * 10**5, float("inf"), "1e999 GB", "a\x1b[2Jb"])
)
KEYS = (
    *Config.model_fields,
    *Config.model_fields["grids"].annotation.__args__[0].model_fields,
    "batch",
    "memory",
)
BOUND = (MOST_PROBLEMS + 2) * (LONGEST_PROBLEM + 10)


def said_of(call, *arguments):
    """What an error says: within its bounds, and nothing that a terminal would obey; nothing without one."""
    try:
        call(*arguments)
    except ConfigError as error:
        said = str(error)
    else:
        said = ""
    assert len(said) <= BOUND
    assert all(line.isprintable() for line in said.split("\n"))
    return said


def refused(call, *arguments):
    said = said_of(call, *arguments)
    assert said
    return said


@given(
    st.recursive(
        SCALARS,
        lambda s: st.lists(s) | st.dictionaries(st.sampled_from(KEYS) | st.text() | st.integers(), s),
    )
)
def test_nothing_that_yaml_can_hold_ends_in_another_error(data):
    refused(Config.checked, data, "test")


SECTIONS = sorted({name for model in _SECTIONS.values() for name in model.model_fields})


@given(st.sampled_from(SECTIONS), SCALARS | st.lists(SCALARS, max_size=3))
def test_no_value_of_any_key_ends_in_another_error(key, value):
    """In every section that has the key; there the others are as they should be."""
    valid_grid = GRID | {key: value} if key in GRID or key == "probe" else GRID
    run = TINY["training"]["grids"][0]
    data = TINY | {
        "grids": [valid_grid],
        "training": {"grids": [run | {key: value} if key in run else run]},
        "probe": {key: value} if key in ProbeSettings.model_fields else {},
        "cluster": {key: value} if key in ClusterSettings.model_fields else {"batch": {key: value}},
    }
    said_of(lambda: Config.checked(data, "test", any_size=True))


@given(st.text() | st.text("[]{}:,-*&!<? \n'\"#|>%@`a1"))
def test_no_text_ends_in_another_error(text):
    refused(lambda: Config.checked(from_yaml(text, "test"), "test"))


LINE = "grids: [{initializer: he_normal, activation: relu, depth: 1, width: 1, seed: %s}]"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("grids: [&a [x], *a]", "not a mapping"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), f"more than {DEEPEST} deep"),
        ("{a: " * (DEEPEST + 1) + "}" * (DEEPEST + 1), f"more than {DEEPEST} deep"),
        (
            "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1000)),
            f"more than {DEEPEST} deep",
        ),
        ("a: &a [*a]", "holds itself"),
        ("a: &a {b: *a}", "holds itself"),
        ("a: *b", "undefined alias"),
        ("a: 1\n---\nb: 1", "another document"),
        ("? [a]\n: 1", "unhashable"),
        ("a: !!python/name:os.system x", "could not determine a constructor"),
        ("!!map [a]", "expected a mapping"),
        ("a: !!int ''", "'' is no int"),
        ("a: !!timestamp x", "'x' is no timestamp"),
        (LINE % "2026-02-30", "line 1, column 78: '2026-02-30' is no timestamp"),
        (LINE % "2026-02-28", "the date 2026-02-28 is not a whole number"),
        (LINE % ("9" * 5000), "is no int"),
        (LINE % ("0x" + "f" * 5000), "a whole number of 20,000 bits is too large"),
        (LINE % f"{{first: {2**63 - 1}, count: 2}}", "too large for a seed"),
        ("", "is not a mapping"),
        ("a: b\0", "control characters are not allowed"),
    ],
)
def test_odd_yaml_is_refused_in_few_words(text, word):
    said = refused(lambda: Config.checked(from_yaml(text, "test"), "test"))
    assert word in said
    assert len(said.splitlines()) <= 3


@pytest.mark.parametrize("merged", [False, True])
def test_an_alias_counts_as_all_that_it_stands_for(merged):
    levels = [f"a{i}: &a{i} " for i in range(8)]
    uses = "{{<<: [{}]}}" if merged else "[{}]"
    lines = [levels[0] + "{x: 1}"]
    lines += [level + uses.format(", ".join([f"*a{i}"] * 10)) for i, level in enumerate(levels[1:])]
    assert f"more than {MOST_VALUES:,} values" in refused(from_yaml, "\n".join(lines), "test")
    shared = [1, 2]
    for _ in range(30):
        shared = [shared, shared]
    assert f"more than {MOST_VALUES:,} values" in refused(Config.checked, {"grids": shared}, "test")


def test_aliases_and_merge_keys_are_what_they_stand_for():
    text = """
        common: &c {activation: relu, depth: 1, width: 4, seed: &s [5, 3, 3]}
        grids: [{<<: *c, depth: [2], initializer: zeros}, {<<: *c, initializer: [zeros], seed: *s}]
    """
    data = from_yaml(text, "test")
    del data["common"]
    config = Config.checked(data, "test")
    assert [grid.depth for grid in config.grids] == [[2], [1]]
    assert [grid.seed for grid in config.grids] == [[5, 3, 3], [5, 3, 3]]


def test_a_list_that_holds_itself_is_refused():
    data = {"grids": []}
    data["grids"].append(data)
    assert "deep" in refused(Config.checked, data, "test")


def test_of_many_problems_some_are_listed_and_all_are_counted():
    said = refused(Config.checked, TINY | {"grids": [GRID | {"depth": ["x"] * 1000}]}, "test")
    head, *lines, last = said.splitlines()
    assert head == "test: 1,000 problems, nothing was started"
    assert len(lines) == MOST_PROBLEMS
    assert last == f"  and {1000 - MOST_PROBLEMS} more"


@pytest.mark.parametrize("what", ["folder", "pipe", "device", "large", "bytes", "mark"])
def test_what_is_no_text_in_a_regular_file_is_refused(what, tmp_path):
    path = tmp_path / "config.yaml"
    text = yaml.safe_dump(TINY)
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path = Path("/dev/zero")
    elif what == "large":
        path.write_text(text + "#" * LARGEST_FILE)
    elif what == "bytes":
        path.write_bytes(bytes(range(256)))
    else:
        path.write_text(text, encoding="utf-8-sig")
        assert Config.read(path) == Config.checked(TINY, "test")
        return
    assert len(refused(Config.read, path).splitlines()) == 2


def test_a_range_of_seeds_stays_a_range():
    config = tiny(seed={"first": 7, "count": 10**6}, initializer="zeros", activation="relu", depth=1, width=1)
    (grid,) = config.grids
    assert grid.seed == range(7, 1_000_007)
    assert grid.size == 1_000_000
    written = config.to_yaml()
    assert "seed:\n    first: 7\n    count: 1000000\n" in written
    assert Config.checked(from_yaml(written, "test"), "test") == config


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=5)
    | st.builds(lambda a, n: list(range(a, a + n)), st.integers(0, 9), st.integers(1, 9))
)
def test_seeds_are_those_that_were_given(seeds):
    config = tiny(seed=seeds)
    (grid,) = config.grids
    assert list(grid.seed) == seeds
    assert Config.checked(yaml.safe_load(config.to_yaml()), "test") == config
    if seeds == list(range(seeds[0], seeds[0] + len(seeds))):
        assert config == tiny(seed={"first": seeds[0], "count": len(seeds)})
        assert config.to_yaml() == tiny(seed={"first": seeds[0], "count": len(seeds)}).to_yaml()


def test_every_activation_is_tried_with_what_asks_for_it():
    grid = GRID | {"initializer": ["he_normal", "critical"], "activation": ["tanh", "gelu", "abs"]}
    (message,) = problems({"grids": [grid]}).values()
    assert "with gelu, critical" in message
    assert "tanh" not in message
    assert "he_normal" not in message


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ({"thresholds": {"vanishing": float("inf")}}, "finite"),
        ({"thresholds": {"dead": -0.1}}, "above 0"),
        ({"thresholds": {"dead": True}}, "not a number"),
        ({"thresholds": {"dead": 50}}, "at most 1"),
        ({"thresholds": {"saturated": 75}}, "at most 1"),
        ({"sweep": {"part_seconds": float("inf")}}, "at most"),
        ({"sweep": {"block_seconds": 0}}, "above 0"),
        ({"sweep": {"max_cells": 95}}, "96 cells, more than sweep.max_cells, which is 95"),
        ({"results": "a{b}"}, "named without"),
        ({"results": ""}, "is empty"),
        ({"cluster": {"kind": "locl"}}, "did you mean 'local'?"),
    ],
)
def test_bad_settings_are_refused(section, word):
    (message,) = problems(TINY | section).values()
    assert word in message


RATIOS = {"vanishing": "exploding", "trained": "diverging"}


@pytest.mark.parametrize("low", RATIOS)
@given(below=st.floats(1e-3, 1e3), above=st.floats(1e-3, 1e3))
def test_thresholds_that_contradict_each_other_are_refused_by_both_names(low, below, above):
    high = RATIOS[low]
    given_ = TINY | {"thresholds": {low: below, high: above}}
    if below <= 1 <= above:
        assert Config.checked(given_, "test").thresholds.model_dump()[high] == above
    else:
        assert list(problems(given_)) == ["thresholds"]
        (message,) = problems(given_).values()
        assert f"{low} is {below:g} and {high} {above:g}" in message


def test_thresholds_the_wrong_way_round_are_refused_with_what_to_write():
    swapped = {"vanishing": 10, "exploding": 0.1, "trained": 2, "diverging": 0.5}
    (message,) = problems(TINY | {"thresholds": swapped}).values()
    assert "write vanishing: 0.1, exploding: 10" in message
    assert "write trained: 0.5, diverging: 2" in message
    (message,) = problems(TINY | {"thresholds": {"vanishing": 10}}).values()
    assert "vanishing is 10 and exploding 10, where a signal that stays as it is has 1" in message


def test_a_slip_in_the_size_is_refused_with_both_mends():
    many = list(range(1, 10_001))
    grid = {"initializer": "zeros", "activation": "tanh", "depth": many, "width": many}
    slip = {"grids": [grid | {"seed": {"count": 10_000}}]}
    (message,) = problems(slip).values()
    assert "1,000,000,000,000 cells" in message
    assert "raise it in the config, or give `winit plan` --yes" in message
    assert Config.checked(slip, "test", any_size=True).size == 10**12
    raised = Config.checked(slip | {"sweep": {"max_cells": 10**12}}, "test")
    assert raised.too_large is None


def test_a_million_cells_pass_and_one_more_does_not():
    grid = {"initializer": "zeros", "activation": "tanh", "depth": 1, "width": 1}
    grids = [grid | {"seed": {"count": 1_000_000}}]
    assert Config.checked({"grids": grids}, "test").size == 1_000_000
    assert "1,000,001 cells" in problems({"grids": [*grids, grid | {"seed": 0}]})[""]


@pytest.mark.parametrize(("given", "folder"), [("res/", "res"), ("./a//b", "a/b"), ("/x/y/", "/x/y")])
def test_the_results_folder_has_one_spelling(given, folder):
    assert Config.checked(TINY | {"results": given}, "test").results == folder


PATHS = {
    "results": lambda path: {"results": path},
    "cluster.tls.ca": lambda path: {"cluster": {"tls": {"ca": path}}},
    "cluster.tls.certificate": lambda path: {"cluster": {"tls": {"certificate": path}}},
    "cluster.tls.key": lambda path: {"cluster": {"tls": {"key": path}}},
}


def at(where, config):
    found = config.model_dump()
    for step in where.split("."):
        found = found[step]
    return found


@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("$WINIT_PLACE/x", "/fast/me/x"),
        ("${WINIT_PLACE}/x", "/fast/me/x"),
        ("/a/${WINIT_NAME}s/$WINIT_NAME", "/a/runs/run"),
        ("a/$WINIT_NAME.d", "a/run.d"),
        ("~/$WINIT_NAME", str(Path.home() / "run")),
        ("$WINIT_HOME/x", str(Path.home() / "x")),
    ],
)
def test_paths_have_variables_as_a_shell_has_them(where, written, path, monkeypatch):
    monkeypatch.setenv("WINIT_PLACE", "/fast/me")
    monkeypatch.setenv("WINIT_NAME", "run")
    monkeypatch.setenv("WINIT_HOME", "~")
    config = Config.checked(TINY | PATHS[where](written), "test")
    assert at(where, config) == path
    # What the results say is the same on a machine that has no such variable.
    for name in ("WINIT_PLACE", "WINIT_NAME", "WINIT_HOME"):
        monkeypatch.delenv(name)
    assert Config.checked(from_yaml(config.to_yaml(), "test"), "test") == config


@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize("written", ["$WINIT_NONE/x", "${WINIT_NONE}", "a/$WINIT_EMPTY", "${}", "${A:-b}/x"])
def test_a_variable_that_is_not_set_is_refused(where, written, monkeypatch):
    monkeypatch.setenv("WINIT_EMPTY", "")
    found = problems(TINY | PATHS[where](written))
    assert list(found) == [where]
    assert "no such variable is set; set it, or write the path itself" in found[where]


@pytest.mark.parametrize("where", PATHS)
def test_a_variable_that_names_another_is_refused(where, monkeypatch):
    monkeypatch.setenv("WINIT_PLACE", "/a/$WINIT_NAME")
    monkeypatch.setenv("WINIT_NAME", "b")
    assert "has variables in its variables" in problems(TINY | PATHS[where]("$WINIT_PLACE/x"))[where]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("a:b", "has : in it"),
        ("/a:b/c", "has : in it"),
        ("a{b}*?", "has { } * ? in it"),
        ("-x", "begins with -"),
        ("-x/y", "begins with -"),
        ("a\nb", "cannot be shown"),
        ("a\tb", "cannot be shown"),
        ("a\x1b[2J", "cannot be shown"),
        ("a\u202eb", "cannot be shown"),
        ("a ", "begins or ends with a space"),
        (" a", "begins or ends with a space"),
        ("a /b", "begins or ends with a space"),
        (" ", "begins or ends with a space"),
        (".", "a folder in it, such as results"),
        ("./", "a folder in it, such as results"),
        ("..", "a folder in it"),
        ("a/..", "a folder in it"),
        ("/", "such as /results"),
        ("~", "a folder in it"),
        ("~nobody-of-that-name/x", "home folder of nobody"),
        ("x" * 256, "more than 255 bytes"),
        ("é" * 200, "more than 255 bytes"),
        ("x/" * 2000, "more than 3,800 bytes"),
        ("", "is empty"),
        (3, "not text"),
        (None, "not text"),
        ("\ud800", "cannot be shown"),
        ("a\0b", "cannot be shown"),
    ],
)
def test_a_results_folder_that_some_step_cannot_take_is_refused(name, word):
    found = problems(TINY | {"results": name})
    assert list(found) == ["results"]
    assert word in found["results"]


@pytest.mark.parametrize(
    "name",
    ["res[1]", "a b", "a'b", 'a"b', "a$", "a$1", "a/~", "é/ü", "../a", "a/-x", "a%b", "=a", "@a", "a\\b"],
)
def test_other_names_of_results_folders_stay_as_they_are(name):
    assert Config.checked(TINY | {"results": name}, "test").results == name


def test_a_place_that_cannot_be_filled_is_refused(tmp_path):
    check_place(tmp_path / "new/folder")
    check_place(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nothing")
    for name, word in {
        "file": "is no folder",
        "file/a": "is no folder",
        "link/a": "is a link to nothing",
    }.items():
        with pytest.raises(WinitError, match=word):
            check_place(tmp_path / name)
    with pytest.raises(WinitError, match="/proc cannot be written"):
        check_place(Path("/proc/results"))


def test_a_home_folder_is_found():
    assert Config.checked(TINY | {"results": "~/x"}, "test").results == str(Path.home() / "x")


def test_a_key_given_twice_is_an_error(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(TINY) + "grids: []\n")
    with pytest.raises(ConfigError, match="'grids' is given twice"):
        Config.read(path)


def test_an_error_in_the_common_probe_is_told_once():
    assert list(problems(TINY | {"probe": {"batch": -1}})) == ["probe.batch"]


def test_a_grid_overrides_the_common_probe():
    config = Config.checked(
        {"grids": [GRID, GRID | {"probe": {"batch": 7}}], "probe": {"bias_std": 0.5}}, "test"
    )
    assert config.grids[0].probe == ProbeSettings(bias_std=0.5)
    assert config.grids[1].probe == ProbeSettings(bias_std=0.5, batch=7)


def test_two_spellings_of_one_config_have_one_canonical_text():
    left = tiny(initializer="normal( std=1e-2 )", depth=3, width=16, seed={"count": 2})
    right = tiny(initializer=["normal(0.01, mean=0)"], depth=["3"], width=["16"], seed=[0, 1])
    assert left.to_yaml() == right.to_yaml()


def test_the_canonical_text_is_a_config_with_itself_as_canonical_text():
    config = tiny()
    assert Config.checked(yaml.safe_load(config.to_yaml()), "test") == config


@pytest.mark.parametrize("content", [b"grids: [", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_an_error_of_one_line(tmp_path, content):
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot be read|is not YAML"):
        Config.read(path)


def test_the_grid_of_the_readme_is_a_config(pytestconfig):
    page = (pytestconfig.rootpath / "README.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert Config.checked(yaml.safe_load(block), "README").grids[0].width == ["256", "1024-64"]


def test_the_training_grid_of_the_docs_is_accepted(pytestconfig):
    page = (pytestconfig.rootpath / "docs/training.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (grid,) = Config.checked(TINY | yaml.safe_load(block), "docs").training.grids
    assert (grid.depth, grid.task.steps) == ([0, 1, 10], 200)


def test_the_default_config_is_the_experiment_of_the_notes(pytestconfig):
    config = Config.read(pytestconfig.rootpath / "config/default.yaml")
    grid, pixels, chain, *narrow = config.grids
    assert {(*each.width, *each.depth, len(each.seed)) for each in narrow} == {
        ("2", 10, 300),
        ("3", 20, 300),
        ("8", 100, 300),
    }
    assert (pixels.probe.input, chain.width) == ("uint8", ["1"])
    assert {run.task.data for run in config.training.grids} == {"digits", "integer_digits", "spiral"}
    assert 0 in config.training.grids[0].depth
    assert set(grid.initializer) == {
        "zeros",
        "constant(value=0.1)",
        "normal(std=0.01)",
        "normal(std=1.0)",
        "lecun_normal",
        "glorot_normal",
        "glorot_uniform",
        "he_normal",
        "he_uniform",
        "variance_scaling(scale=4.0)",
    }
    assert set(grid.activation) == {"tanh", "relu", "sigmoid"}
    assert (grid.depth, len(grid.seed), grid.probe.batch) == ([2, 10], 5, 1000)
    assert "500" in grid.width


RUN = TINY["training"]["grids"][0]


@pytest.mark.parametrize(
    ("change", "path", "word"),
    [
        ({"learning_rate": [0]}, "grids[0].learning_rate[0]", "above 0"),
        ({"learning_rate": ["fast"]}, "grids[0].learning_rate[0]", "not a number"),
        ({"learnig_rate": 0.1}, "grids[0].learnig_rate", "did you mean 'learning_rate'?"),
        ({"depth": -1}, "grids[0].depth[0]", "at least 0"),
        ({"task": {"data": "digit"}}, "grids[0].task.data", "did you mean 'digits'?"),
        ({"task": {"step": 3}}, "grids[0].task.step", "did you mean 'steps'?"),
        ({"task": {"steps": 0}}, "grids[0].task.steps", "at least 1"),
        ({"probe": {}}, "grids[0].probe", "unknown key"),
        ({"activation": "gelu", "initializer": "critical"}, "grids[0]", "with gelu, critical"),
    ],
)
def test_bad_training_grids_are_refused(change, path, word):
    found = problems(TINY | {"training": {"grids": [RUN | change]}})
    assert list(found) == [f"training.{path}"]
    assert word in found[f"training.{path}"]


def test_training_settings_are_inherited_and_overridden():
    section = {"grids": [RUN, RUN | {"task": {"data": "spiral"}}], "task": {"steps": 7, "batch": 8}}
    config = Config.checked(TINY | {"training": section}, "test")
    assert [(g.task.data, g.task.steps, g.task.batch) for g in config.training.grids] == [
        ("digits", 7, 8),
        ("spiral", 7, 8),
    ]
    wrong = problems(TINY | {"training": section | {"task": {"steps": 0}}})
    assert list(wrong) == ["training.task.steps"]
    assert list(problems(TINY | {"training": 3})) == ["training"]
    grids = [RUN | {"seed": {"count": 99}}]
    many = problems(TINY | {"sweep": {"max_cells": 96}, "training": {"grids": grids}})
    assert "the training grids have 1,584 runs" in many[""]


def test_the_canonical_config_with_training_is_a_config():
    config = Config.checked(TINY, "test")
    assert Config.checked(yaml.safe_load(config.to_yaml()), "again") == config
