"""Every field of the config takes what people write for it, or says how to write it."""

import datetime as dt
import itertools
import re

import pytest
import yaml

from winit.sweep.config import Config, Where, valid
from winit.sweep.fields import Model
from winit.sweep.problems import ConfigError
from winit.sweep.reading import from_yaml

GRID = {"initializer": "he_normal", "activation": "relu", "depth": 3, "width": 20, "seed": 0}
RUN = GRID | {"learning_rate": 0.1}


def models(annotation):
    """The models in an annotation, the first of which is what stands there."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from models(part)


def fields(model, path=()):
    """The places of all fields of the config, sections too."""
    for name, field in model.model_fields.items():
        yield (*path, name)
        for inner in models(field.annotation):
            listed = name == "grids"
            yield from fields(inner, (*path, name, *([0] if listed else [])))


FIELDS = [*fields(Config)]
WHOLE = [
    ("grids", 0, "depth"), ("grids", 0, "seed"), ("grids", 0, "probe", "batch"), ("probe", "outputs"),
    ("training", "task", "steps"), ("sweep", "max_cells"), ("cluster", "batch", "jobs"),
]  # fmt: skip
REAL = [
    ("probe", "bias_std"), ("training", "grids", 0, "learning_rate"), ("thresholds", "vanishing"),
    ("sweep", "cell_seconds"), ("cluster", "start_seconds"),
]  # fmt: skip
TEXT = [
    ("results",), ("grids", 0, "initializer"), ("grids", 0, "activation"), ("probe", "input"),
    ("training", "task", "data"), ("cluster", "address"), ("cluster", "tls", "ca"),
    *(("cluster", "batch", name) for name in ("walltime", "partition", "account", "interface", "scratch")),
    ("cluster", "batch", "directives", 0), ("cluster", "batch", "prologue", 0),
]  # fmt: skip

# As YAML has them.
WRONG = [
    None, True, False, 7, -7, 0, 43200, 10**40, 0.5, -1.5, float("nan"), float("inf"), "", "no such thing",
    "1,000", "2k", "a: b", dt.date(2026, 2, 28), dt.datetime(2026, 2, 28, tzinfo=dt.UTC), b"bytes",
    [], [[]], [None], ["no such thing"], {}, {"no such key": 1}, {1: 2}, {"first": "x"}, {None: None}, {1, 2},
]  # fmt: skip
# What every line of an error has: what to do.
MEND = re.compile(
    r"write|give|allowed|must be|leave|such as|take |is empty|is missing|a key that is not text|"
    r"of the form|named without|lists them|too large|at most|needs|quotation|did you mean|set cluster|"
    r"name a folder|no such"
)


def config_with(path, value):
    data = {"grids": [dict(GRID)], "training": {"grids": [dict(RUN)]}}
    place = data
    for step, following in itertools.pairwise(path):
        empty = [None] if isinstance(following, int) else {}
        place = place[step] if isinstance(step, int) else place.setdefault(step, empty)
    place[path[-1]] = value
    return data


def said_of(path, value):
    """What is wrong with the config that has ``value`` there; nothing where that is right."""
    try:
        Config.checked(config_with(path, value), "config")
    except ConfigError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
def test_a_value_of_a_wrong_kind_is_refused_with_the_mend(path):
    for value in WRONG:
        for problem in said_of(path, value):
            assert MEND.search(problem.message), (value, str(problem))
            assert "\n" not in problem.message


@pytest.mark.parametrize("path", TEXT, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("written", ["12345", "012345", "on", "no", "2026-02-28", "1.5", "1:30:00"])
def test_what_is_no_text_to_yaml_is_not_made_text(path, written):
    (problem, *_) = said_of(path, yaml.safe_load(written))
    assert "in quotation marks" in problem.message, problem
    shown = re.search(r"such as (?:\w+: )?('.*')|(walltime: '.*')", problem.message)
    assert shown, problem
    assert isinstance(yaml.safe_load(shown[1] or shown[2].partition(": ")[2]), str)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize(
    "written", ["1e3", "1_000", "1000.0", '"1000"', "10**3", '"1 * 1000"', "1E+3", "1000", "'01000'"]
)
def test_a_whole_number_may_be_written_as_people_do(path, written):
    plain, given = (
        Config.checked(config_with(path, value), "config") for value in (1000, yaml.safe_load(written))
    )
    assert given == plain


@pytest.mark.parametrize("written", ["1e3", "1_000", "1000.0", '"1000"', "10**3", "1000"])
def test_a_width_may_be_written_so_too(written):
    data = config_with(("grids", 0, "width"), [yaml.safe_load(written), written.strip('"') + "-64"])
    assert Config.checked(data, "config").grids[0].width == ["1000", "1000-64"]


@pytest.mark.parametrize("path", [*WHOLE, ("grids", 0, "width")], ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize(
    ("written", "mend"),
    [("1,000", "write 1000"), ("2k", "write 2000"), ("1.5k", "write 1500"), ("1 000 000", "write 1000000")],
)
def test_a_whole_number_that_is_written_otherwise_is_refused_with_the_mend(path, written, mend):
    if path[-1] == "width" and " " in written:  # where spaces never counted
        return
    assert any(mend in problem.message for problem in said_of(path, written))


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("written", [1.5, "1.5", "3/2"])
def test_of_what_is_not_whole_the_nearest_are_named(path, written):
    said = f"{written!r} is not a whole number; write 1 or 2"
    assert said in [problem.message for problem in said_of(path, written)]


@pytest.mark.parametrize("path", REAL, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("written", ["1/32", "sqrt(2)/8", "1e-1", "2**-3", "12.5%", "0,5"])
def test_a_number_may_be_an_expression(path, written):
    found = said_of(path, written)
    if written[-1] == "%" or "," in written:
        assert any(re.search("write 0.(125|5)", problem.message) for problem in found)
    else:
        value = {"1/32": 1 / 32, "sqrt(2)/8": 2**0.5 / 8, "1e-1": 0.1, "2**-3": 0.125}[written]
        plain, given = (Config.checked(config_with(path, one), "config") for one in (value, written))
        assert given == plain


@pytest.mark.parametrize(
    ("walltime", "mend"),
    [("12:00:00", "'12:00:00'"), ("1:30:00", "'01:30:00'"), ("100:00:01", "'100:00:01'")],
)
def test_a_walltime_that_is_a_number_to_yaml_is_refused_with_the_line_to_write(walltime, mend):
    data = from_yaml(f"cluster: {{batch: {{walltime: {walltime}}}}}", "config")
    with pytest.raises(ConfigError, match=f"walltime: {mend}"):
        valid(Where, data, "config")
    line = from_yaml(f"cluster: {{batch: {{walltime: {mend}}}}}", "config")
    assert valid(Where, line, "config").cluster.batch.walltime == mend.strip("'")
