"""The axes of a grid: what may stand on each, and how it is written."""

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from winit.network.activations import activation
from winit.network.datasets import dataset
from winit.network.initializers import initializer
from winit.network.inputs import input_of
from winit.sweep.fields import LARGEST_WIDTH, Model, Seed, SeedCount, counted_in
from winit.sweep.sources import with_source


def _listed(value: Any) -> Any:
    """A single value is an axis of one."""
    return value if isinstance(value, list) else [value]


def _seeds(value: Any) -> Any:
    """``{first, count}`` is the list of so many seeds."""
    if isinstance(value, dict):
        value = SeedRange.model_validate(value)
        return list(range(value.first, value.first + value.count))
    return _listed(value)


def _width(value: Any) -> Any:
    text = str(value).replace(" ", "")
    if isinstance(value, bool) or not re.fullmatch(r"[1-9]\d*(-[1-9]\d*)?", text):
        raise ValueError(
            f"{value!r} is not a width; give a positive whole number such as 500,"
            " or a taper from the first layer to the last such as '1024-64'"
        )
    if max(int(end) for end in text.split("-")) > LARGEST_WIDTH:
        raise ValueError(f"{value!r} is too large; a width is at most {LARGEST_WIDTH}")
    return text


def _initializer(label: str) -> str:
    label, at_hand = with_source(label)
    return initializer(label, at_hand).label


def _activation(label: str) -> str:
    label, at_hand = with_source(label)
    return activation(label, at_hand).label


def _value(what: str) -> Any:
    """What a text is, for the page about the config."""
    return Field(json_schema_extra={"value": what})


InitializerLabel = Annotated[str, _value("initializer"), AfterValidator(_initializer)]
ActivationLabel = Annotated[str, _value("activation"), AfterValidator(_activation)]
DatasetLabel = Annotated[str, _value("data set"), AfterValidator(lambda label: dataset(label).label)]
InputLabel = Annotated[str, _value("input"), AfterValidator(lambda label: input_of(label).label)]
Width = Annotated[str, _value("width"), BeforeValidator(_width)]


class SeedRange(Model):
    """Consecutive seeds."""

    first: Seed = Field(0, description="the first of consecutive seeds")
    count: SeedCount = Field(
        description="how many there are", examples=[5], json_schema_extra=counted_in("seeds")
    )


Point = TypeVar("Point")
Axis = Annotated[list[Point], Field(min_length=1), BeforeValidator(_listed)]
Seeds = Annotated[
    list[Seed],
    Field(min_length=1),
    BeforeValidator(_seeds, json_schema_input_type=Seed | list[Seed] | SeedRange),
]
