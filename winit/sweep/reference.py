"""What the page about the config says, made from the config's models: ``docs/config.md``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from winit.sweep.config import Config
from winit.sweep.problems import ConfigError

Schema = dict[str, Any]

_LINKS = {
    "initializer": "[initializer](catalogue.md#initializers)",
    "activation": "[activation](catalogue.md#activations)",
    "input": "[input](catalogue.md#inputs)",
    "data set": "[data set](catalogue.md#data-sets)",
    "width": "whole number from 1, or a taper such as `1024-64`",
}
# A grid takes from the common settings what it leaves out.
_INHERITED = {"grids[].probe": "probe", "training.grids[].task": "training.task"}
_LARGEST = 2**63
_LINE = 110


class _InOrder(GenerateJsonSchema):
    """Keys in the order in which they are written."""

    def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ARG002 - as in the base
        return value


def _schema() -> Schema:
    return Config.model_json_schema(schema_generator=_InOrder)


# One of every kind of mistake.
_WRONG = """\
grids:
  - initializer: [he_norml, normal, "constant(value=big)"]
    activation: [relu, tanh]
    depth: [10, 0, 2.5]
    width: ["500", "500-"]
    seed: {first: 0}
    prob: {batch: 100}
probe: {input: digits, batch: 5000, dtype: float16}
cluster: {kind: slurm, batch: {walltime: "90"}}
thresholds: {vanishing: .nan}
"""
_LARGE = """\
grids:
  - initializer: [glorot_normal, he_normal]
    activation: [relu, tanh]
    depth: 10
    width: 256
    seed: {first: 0, count: 500000}
"""


@dataclass
class Section:
    """A mapping of the config: where it is, what it is, and its keys."""

    path: str
    description: str
    keys: dict[str, Schema]
    required: set[str] = field(default_factory=set)

    def at(self, name: str) -> str:
        """The path of one of its keys."""
        return f"{self.path}.{name}" if self.path else name


def sections() -> list[Section]:
    """All sections of the config, each before those in it; where it computes comes last."""
    found = list(_sections(_schema(), ""))
    return sorted(found, key=lambda section: section.path.startswith("cluster"))


def _sections(schema: Schema, path: str, definitions: Schema | None = None) -> Iterator[Section]:
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    keys = dict(sorted(schema["properties"].items(), key=lambda item: item[0] == "cluster"))
    section = Section(path, schema["description"], keys, set(schema.get("required", ())))
    yield section
    for name, key in keys.items():
        for inner, suffix in _inner(key):
            yield from _sections(definitions[inner], section.at(name) + suffix, definitions)


def _inner(key: Schema) -> Iterator[tuple[str, str]]:
    """The sections that may stand at a key, by the names of their models."""
    for option in (key, *key.get("anyOf", ())):
        if "$ref" in option:
            yield option["$ref"].rpartition("/")[2], ""
        elif "$ref" in option.get("items", {}):
            yield option["items"]["$ref"].rpartition("/")[2], "[]"


def keys_page() -> str:
    """Every section with a table of its keys, as Markdown."""
    parts = []
    for section in sections():
        title = f"`{section.path}`" if section.path else "The whole"
        parts += [f"### {title}", "", section.description, ""]
        parts += ["| key | allowed | default | unit | meaning |", "| --- | --- | --- | --- | --- |"]
        parts += [_line(section, name, key) for name, key in section.keys.items()]
        parts.append("")
    return "\n".join(parts)


def _line(section: Section, name: str, key: Schema) -> str:
    meaning = " ".join(key["description"].split())
    if "examples" in key:
        meaning += f"; e.g. `{_flow(key['examples'][0])}`"
    cells = (
        f"`{section.at(name)}`",
        _allowed(key),
        _default(section, name, key),
        key.get("unit", ""),
        meaning,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _allowed(key: Schema) -> str:
    if "anyOf" in key:
        return "; or ".join(_option(option) for option in key["anyOf"])
    if "$ref" in key:
        return "a section"
    if key.get("type") == "array":
        return _list(key)
    return _scalar(key)


def _list(key: Schema) -> str:
    if "$ref" in key["items"]:
        return "list of sections"
    # On an axis, which is never empty, one value is a list of one.
    return (
        f"{_allowed(key['items'])}; or a list" if "minItems" in key else f"list of {_allowed(key['items'])}"
    )


def _scalar(key: Schema) -> str:
    if "enum" in key:
        return ", ".join(f"`{choice}`" for choice in key["enum"])
    if key["type"] == "string":
        return _LINKS.get(key.get("value", ""), "text")
    names = {"boolean": "`true`, `false`", "null": "`null`", "integer": "whole number", "number": "number"}
    return names[key["type"]] + _bounds(key)


def _option(key: Schema) -> str:
    return "a list" if key.get("type") == "array" else _allowed(key)


def _bounds(key: Schema) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    shown = ((word, key[bound]) for bound, word in words.items() if bound in key)
    return "".join(f" {word} {'2⁶³' if end == _LARGEST else format(end, ',.0f')}" for word, end in shown)


def _default(section: Section, name: str, key: Schema) -> str:
    if name in section.required:
        return "must be given"
    if section.path in _INHERITED:
        return f"that of `{_INHERITED[section.path]}.{name}`"
    if any(_inner(key)) and key.get("default") != []:
        return ""
    return f"`{json.dumps(key['default'])}`"


def example() -> str:
    """A config with every key there is, as YAML with comments."""
    schema = _schema()
    return "\n".join(_example(schema, schema["$defs"], 0)) + "\n"


def _example(schema: Schema, definitions: Schema, indent: int) -> Iterator[str]:
    margin = " " * indent
    for name, key in sorted(schema["properties"].items(), key=lambda item: item[0] == "cluster"):
        said = " ".join(key["description"].split()).split(". ")[0].rstrip(".")
        inner = [(model, suffix) for model, suffix in _inner(key) if "anyOf" not in key]
        value = "" if inner else f" {_flow(key['examples'][0] if 'examples' in key else key['default'])}"
        line = f"{margin}{name}:{value} # {said}"
        yield from [line] if len(line) <= _LINE else [f"{margin}# {said}", f"{margin}{name}:{value}"]
        for model, suffix in inner:
            lines = list(_example(definitions[model], definitions, indent + (4 if suffix else 2)))
            if suffix:
                lines[0] = f"{margin}  - {lines[0].lstrip()}"
            yield from lines


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").removesuffix("\n")


def refusals() -> str:
    """Configs that are refused, each with what is said of it, as Markdown."""
    return "\n".join(f"```yaml\n{text}```\n\n```text\n{_refusal(text)}\n```\n" for text in (_WRONG, _LARGE))


def _refusal(text: str) -> str:
    try:
        Config.checked(yaml.safe_load(text), "my.yaml")
    except ConfigError as error:
        return f"winit: {error}"
    raise AssertionError(text)
