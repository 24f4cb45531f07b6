"""The page about the config knows every key, and what it shows is what happens."""

import pytest
import yaml

from winit.sweep import reference
from winit.sweep.config import Config, Where
from winit.sweep.fields import Model
from winit.sweep.problems import ConfigError


def models(base):
    """All models of the config, public ones and those that they are made of."""
    for model in base.__subclasses__():
        yield model
        yield from models(model)


def fields():
    return [(model, name) for model in models(Model) for name in model.model_fields]


def keys_of(value, path=""):
    """The paths of all keys of a config; the entries of a list share one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}{name}"
            yield from keys_of(inner, f"{path}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner, f"{path.removesuffix('.')}[].")


def test_every_field_of_every_model_says_what_it_is():
    assert [(model, name) for model, name in fields() if not model.model_fields[name].description] == []


def test_every_section_says_what_it_is():
    assert all(model.__doc__ for model in models(Model))


def test_the_models_of_all_sections_are_looked_at():
    assert {Config, Where} < set(models(Model))
    assert len(fields()) > 60


def test_every_key_that_a_config_may_have_is_on_the_page_with_its_path():
    page = reference.keys_page()
    config = Config.checked(yaml.safe_load(reference.example()), "example").model_dump()
    config["grids"][0]["seed"] = config["training"]["grids"][0]["seed"] = {"first": 0, "count": 5}
    paths = set(keys_of(config))
    assert {"cluster.batch.walltime", "grids[].probe.batch", "training.grids[].learning_rate"} < paths
    assert {path for path in paths if f"| `{path}` |" not in page} == set()


def test_the_example_has_every_key_and_is_a_config():
    example = yaml.safe_load(reference.example())
    shown = {section.at(name) for section in reference.sections() for name in section.keys}
    assert set(keys_of(example)) == shown
    assert Config.checked(example, "example").size == 3 * 2 * 2 * 4 * 5


def test_defaults_on_the_page_are_those_of_a_config_that_says_nothing():
    network = {"initializer": "zeros", "activation": "tanh", "depth": 1, "width": 1, "seed": 0}
    config = Config.checked({"grids": [network]}, "test").model_dump(mode="json")
    for section in reference.sections():
        if "[]" in section.path:
            continue
        values = config
        for step in filter(None, section.path.split(".")):
            values = values[step]
        for name, key in section.keys.items():
            if name not in section.required and "$ref" not in key:
                assert key["default"] == values[name], section.at(name)


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [
        ("cluster.hang_seconds", 4, "number from 5 to 1,000,000"),
        ("sweep.block_seconds", 0, "number above 0 to 3,600"),
        ("probe.batch", 0, "whole number from 1 to 10,000,000"),
        ("probe.dtype", "float16", "`float32`, `float64`"),
        ("cluster.batch.directives", "-C avx512", "list of text"),
    ],
)
def test_what_the_page_does_not_allow_is_refused(path, value, allowed):
    (line,) = [line for line in reference.keys_page().splitlines() if line.startswith(f"| `{path}` |")]
    assert f"| {allowed} |" in line
    config = yaml.safe_load(reference.example())
    *way, name = path.split(".")
    section = config
    for step in way:
        section = section[step]
    section[name] = value
    with pytest.raises(ConfigError, match=rf"{path}.*: "):
        Config.checked(config, "test")


def test_refusals_name_the_place_and_the_mend():
    shown = reference.refusals()
    assert "11 problems, nothing was started" in shown
    assert "did you mean 'he_normal'?" in shown
    assert "more than sweep.max_cells" in shown
