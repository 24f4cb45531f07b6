"""What the config's models are made of: numbers that are numbers, within what a machine can hold."""

import math
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from winit.errors import quoted
from winit.network.arithmetic import ExpressionError, real_in, whole_in


class Model(BaseModel):
    """A section of the config: no key but its own, and nothing changes later.

    The page about the config is made of the fields' descriptions (``reference``).
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )


def counted_in(unit: str) -> dict[str, Any]:
    """What a field counts, for the page about the config."""
    return {"unit": unit}


def _number(value: Any) -> Any:
    """YAML's ``true`` is no 1, its ``.nan`` is smaller and larger than nothing, and its ``1e3`` is text."""
    if isinstance(value, bool) or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        raise ValueError(f"{value} is not a number; write one, such as 1")
    return _read(real_in, value) if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    """Likewise; a whole number may be written as a float, and be an expression."""
    if isinstance(value, float) and math.isfinite(value):
        return _read(whole_in, value)
    return _read(whole_in, value) if isinstance(value, str) else _number(value)


def _read(number_in: Callable[[str], int | float], value: str | float) -> int | float:
    try:
        return number_in(str(value))
    except ExpressionError as error:
        raise ValueError(f"{quoted(value)} {error}") from None


def plain_whole(text: str) -> str:
    """The digits of a whole number, however it is written; what is none stays as it is."""
    try:
        return str(whole_in(text))
    except ExpressionError:
        return text


# The constraints stand first, so that they are a number's own and show in the JSON schema.
Count = Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(_whole)]
CellCount = Annotated[int, Field(ge=1, lt=2**63), BeforeValidator(_whole)]
Depth = Annotated[int, Field(ge=1, le=100_000), BeforeValidator(_whole)]
DepthOrNone = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_whole)]
Seed = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_whole)]
SeedCount = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_number)]
Share = Annotated[float, Field(gt=0, le=1), BeforeValidator(_number)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_number)]
Seconds = Annotated[float, Field(gt=0, le=3600), BeforeValidator(_number)]
CellSeconds = Annotated[float, Field(gt=0, le=1e7), BeforeValidator(_number)]
Patience = Annotated[float, Field(ge=5, le=1e6), BeforeValidator(_number)]

LARGEST_WIDTH = 1_000_000
