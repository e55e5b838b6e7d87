"""Patterns that a job follows. No torch."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from espalier.models.document import Frozen
from espalier.search.recipe import Name
from espalier.search.spec.budgets import Budget, Ratios, Share

MOST_NAME = 200
"""Characters of what a guide is called."""
MOST_GUIDES = 64
"""That one job follows."""


class Guide(Frozen):
    """A pattern that widths follow: what of each stage stays, in proportion. Or the job whose patterns are followed."""

    name: Annotated[str, StringConstraints(max_length=MOST_NAME)] = Field(default="", description="what it is called")
    keep: tuple[Share, ...] = Field(
        default=(), max_length=64, description="share of each stage's channels, from the first, as patterns have it"
    )
    budget: Budget | Ratios | None = Field(
        default=None, exclude_if=lambda value: value is None, description="where it counts; everywhere if not given"
    )
    job: Name | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="where it was found; without `keep`, all its patterns for budgets of this job are followed",
    )
    pattern: Name | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="its id in the library; without `keep`, it is looked up there",
    )

    @model_validator(mode="after")
    def _says_what_is_followed(self) -> Self:
        if not self.keep and self.job is None and self.pattern is None:
            raise ValueError(
                "a guide has keep, the share of each stage; or job, whose patterns are followed; or pattern, the id of "
                "one in the library"
            )
        if self.keep and not self.name:
            raise ValueError("a guide with keep needs a name, which its arm is called by")
        return self
