"""What the config's models are made of: numbers that are numbers, within what a machine can hold."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Model(BaseModel):
    """A section of the config: no key but its own, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _number(value: Any) -> Any:
    """YAML's ``true`` is no 1, and its ``.nan`` is smaller and larger than nothing."""
    if isinstance(value, bool) or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        raise ValueError(f"{value} is not a number")
    return value


Count = Annotated[int, BeforeValidator(_number), Field(ge=1, le=10_000_000)]
CellCount = Annotated[int, BeforeValidator(_number), Field(ge=1, lt=2**63)]
Depth = Annotated[int, BeforeValidator(_number), Field(ge=1, le=100_000)]
DepthOrNone = Annotated[int, BeforeValidator(_number), Field(ge=0, le=100_000)]
Seed = Annotated[int, BeforeValidator(_number), Field(ge=0, lt=2**63)]
SeedCount = Annotated[int, BeforeValidator(_number), Field(ge=1, le=1_000_000)]
NonNegative = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=3600)]

LARGEST_WIDTH = 1_000_000
