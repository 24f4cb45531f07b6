"""What the config's models are made of: numbers that are numbers, within what a machine can hold."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


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
    """YAML's ``true`` is no 1, and its ``.nan`` is smaller and larger than nothing."""
    if isinstance(value, bool) or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        raise ValueError(f"{value} is not a number")
    return value


# The constraints stand first, so that they are a number's own and show in the JSON schema.
Count = Annotated[int, Field(ge=1, le=10_000_000), BeforeValidator(_number)]
CellCount = Annotated[int, Field(ge=1, lt=2**63), BeforeValidator(_number)]
Depth = Annotated[int, Field(ge=1, le=100_000), BeforeValidator(_number)]
DepthOrNone = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_number)]
Seed = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_number)]
SeedCount = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_number)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_number)]
Share = Annotated[float, Field(gt=0, le=1), BeforeValidator(_number)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_number)]
Seconds = Annotated[float, Field(gt=0, le=3600), BeforeValidator(_number)]
CellSeconds = Annotated[float, Field(gt=0, le=1e7), BeforeValidator(_number)]
Patience = Annotated[float, Field(ge=5, le=1e6), BeforeValidator(_number)]

LARGEST_WIDTH = 1_000_000
