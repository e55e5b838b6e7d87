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
Chance = Annotated[float, Field(strict=True, ge=0, le=1)]

Row = tuple[Chance, Chance, Chance]
Kernel = tuple[Row, Row, Row]
"""How likely each place of a 3x3 kernel stays."""


class Guide(Frozen):
    """A pattern that is followed: what of each stage stays, in proportion. Or the job whose patterns are followed."""

    name: Annotated[str, StringConstraints(max_length=MOST_NAME)] = Field(default="", description="what it is called")
    keep: tuple[Share, ...] = Field(
        default=(), max_length=64, description="share of each stage's channels, from the first, as patterns have it"
    )
    kernels: tuple[Kernel, ...] = Field(
        default=(),
        max_length=64,
        exclude_if=lambda value: not value,
        description="how likely each place of a 3x3 kernel stays, by stage, as patterns of single weights have it: "
        "single weights are drawn so, in the place of widths",
    )
    budget: Budget | Ratios | None = Field(
        default=None, exclude_if=lambda value: value is None, description="where it counts; everywhere if not given"
    )
    job: Name | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="where it was found; without `keep` or `kernels`, all its patterns for budgets of this job are "
        "followed",
    )
    pattern: Name | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="its id in the library; without `keep` or `kernels`, it is looked up there",
    )

    @property
    def is_spelt_out(self) -> bool:
        """Whether it says itself what stays."""
        return bool(self.keep or self.kernels)

    @model_validator(mode="after")
    def _says_what_is_followed(self) -> Self:
        if not self.is_spelt_out and self.job is None and self.pattern is None:
            raise ValueError(
                "a guide has keep or kernels, what stays of each stage; or job, whose patterns are followed; or "
                "pattern, the id of one in the library"
            )
        if self.keep and self.kernels:
            raise ValueError("a guide has keep, for channels, or kernels, for single weights; make it two guides")
        if self.is_spelt_out and not self.name:
            raise ValueError("a guide that says what stays needs a name, which its arm is called by")
        if any(not any(map(any, kernel)) for kernel in self.kernels):
            raise ValueError("kernels with nothing but zeros leave a stage without weights")
        return self
