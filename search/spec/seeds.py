"""Seeds: a list of them, or as many as it takes. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from espalier.models.document import Frozen
from espalier.search.recipe import Whole

Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
MOST_SEEDS = 64
"""Of one arm."""


class SeedRange(Frozen):
    """Seeds where they are needed: from 0 on so many for every arm, and more for those whose answers are undecided."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    least: Whole = Field(alias="from", ge=2, le=MOST_SEEDS, description="of every arm")
    most: Whole = Field(le=MOST_SEEDS, description="of arms that take part in an answer that stays undecided")
    until: Literal["decided"] = "decided"

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.most <= self.least:
            raise ValueError(f"most ({self.most}) must be more than from ({self.least})")
        return self


MEANT_SEEDS = ("a list of seeds", "a range of seeds")
"""What seeds may be meant as. Pydantic says it between the places of what is wrong, where a user has nothing."""


def _meant(seeds: Any) -> str:
    return MEANT_SEEDS[isinstance(seeds, (Mapping, SeedRange))]


Seeds = Annotated[
    Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MOST_SEEDS), Tag(MEANT_SEEDS[0])]
    | Annotated[SeedRange, Tag(MEANT_SEEDS[1])],
    Discriminator(_meant),
]
"""A list of them, or how many."""
