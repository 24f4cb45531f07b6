"""The axes of a grid: what may stand on each, and how it is written."""

import operator
import re
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from winit.errors import quoted
from winit.network.activations import activation
from winit.network.arithmetic import how_to_write
from winit.network.datasets import dataset
from winit.network.initializers import initializer
from winit.network.inputs import input_of
from winit.network.labels import LONGEST
from winit.sweep.fields import LARGEST_WIDTH, Model, Seed, SeedCount, counted_in, plain_whole
from winit.sweep.sources import with_source

_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")
_WIDTH = re.compile(r"[1-9][0-9]*(-[1-9][0-9]*)*")


def _listed(value: Any) -> Any:
    """A single value is an axis of one."""
    return value if isinstance(value, list) else [value]


def _seeds(value: Any, listed: ValidatorFunctionWrapHandler) -> "range | list[int]":
    """Consecutive seeds are a range, however they are written; others are a list."""
    if isinstance(value, range):
        return value
    if isinstance(value, dict):
        seeds = SeedRange.model_validate(value)
        return range(seeds.first, seeds.first + seeds.count)
    checked: list[int] = listed(_listed(value))
    consecutive = range(checked[0], checked[0] + len(checked))
    return consecutive if all(map(operator.eq, checked, consecutive)) else checked


def _written(seeds: "range | list[int]") -> "dict[str, int] | list[int]":
    return {"first": seeds.start, "count": len(seeds)} if isinstance(seeds, range) else seeds


def _width(value: Any) -> Any:
    if isinstance(value, list) and len(value) > 1:  # of each layer
        value = "-".join(map(_width, value))
    text = value.replace(" ", "") if isinstance(value, str) else quoted(value)
    text = "-".join(map(plain_whole, text.split("-")))
    large = isinstance(value, int) and value > LARGEST_WIDTH
    if isinstance(value, bool) or not (large or _WIDTH.fullmatch(text)):
        raise ValueError(f"{quoted(value)} is not a width{_width_mend(text)}")
    if len(text) > LONGEST:
        raise ValueError(f"{quoted(text)} is longer than {LONGEST:,} characters")
    # The digits are counted first: Python itself does not read thousands of them.
    if large or any(len(end) > 7 or int(end) > LARGEST_WIDTH for end in text.split("-")):
        raise ValueError(f"{quoted(value)} is too large; a width is at most {LARGEST_WIDTH}")
    return text


def _width_mend(text: str) -> str:
    if "," in text and not _THOUSANDS.fullmatch(text):
        return "; write several as [64, 32], and the layers of one network as '64-32'"
    return how_to_write(text) or (
        "; give a positive whole number such as 500, a taper from the first layer to the last such as"
        " '1024-64', or the layers one by one such as '784-256-128'"
    )


def _initializer(label: str) -> str:
    label, at_hand = with_source(label)
    return initializer(label, at_hand).label


def _activation(label: str) -> str:
    label, at_hand = with_source(label)
    found = activation(label, at_hand)
    found.try_out()
    return found.label


def _input(label: str) -> str:
    label, at_hand = with_source(label)
    return input_of(label, at_hand).label


def _value(what: str) -> Any:
    """What a text is, for the page about the config."""
    return Field(json_schema_extra={"value": what})


InitializerLabel = Annotated[str, _value("initializer"), AfterValidator(_initializer)]
ActivationLabel = Annotated[str, _value("activation"), AfterValidator(_activation)]
DatasetLabel = Annotated[str, _value("data set"), AfterValidator(lambda label: dataset(label).label)]
InputLabel = Annotated[str, _value("input"), AfterValidator(_input)]
Width = Annotated[str, _value("width"), BeforeValidator(_width)]


class SeedRange(Model):
    """Consecutive seeds."""

    first: Seed = Field(0, description="the first of consecutive seeds")
    count: SeedCount = Field(
        description="how many there are", examples=[5], json_schema_extra=counted_in("seeds")
    )

    @model_validator(mode="after")
    def _all_are_seeds(self) -> Self:
        if self.first + self.count > 2**63:
            raise ValueError(f"the last of {self.count} seeds from {self.first} on is too large for a seed")
        return self


Point = TypeVar("Point")
Axis = Annotated[list[Point], Field(min_length=1), BeforeValidator(_listed)]
Seeds = Annotated[
    list[Seed],
    Field(min_length=1),
    WrapValidator(_seeds, json_schema_input_type=Seed | list[Seed] | SeedRange),
    PlainSerializer(_written),
]
"""Held as a ``range`` where they are consecutive: a million of them take no more room than two."""
