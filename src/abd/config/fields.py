"""What the schema's models are made of: the strict base, and the kinds of numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _no_bool(value: object) -> object:
    """YAML's `true` is no number, though Python's is."""
    if isinstance(value, bool):
        raise ValueError("a number")
    return value


# Of every number: no length, size or rate of a study comes near it, and what is derived
# from several (rounds are epochs times batches) still fits 64 bits.
LARGEST = 10**9
LARGEST_SEED = 2**63 - 1  # what torch's and NumPy's generators take

Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool)]
Count = Annotated[Int, Field(ge=1, le=LARGEST)]
Whole = Annotated[Int, Field(ge=0, le=LARGEST)]
Seed = Annotated[Int, Field(ge=0, le=LARGEST_SEED)]
BatchSize = Annotated[Int, Field(ge=2, le=LARGEST)]
Rate = Annotated[Float, Field(gt=0, le=LARGEST)]
NonNegative = Annotated[Float, Field(ge=0, le=LARGEST)]
Share = Annotated[Float, Field(gt=0, le=1)]
Fraction = Annotated[Float, Field(ge=0, lt=1)]
Probability = Annotated[Float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Common settings of all models: immutable, no unknown key, no inf and no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
