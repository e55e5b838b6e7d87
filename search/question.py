"""What a job asks, in full. No torch."""

from __future__ import annotations

from pydantic import Field

from espalier.models.document import Document
from espalier.search.recipe import FineTuning, Name, Recipe
from espalier.search.spec import Budget, JobSpec, MethodSpec, Ratios


class Question(Document):
    """What a job asks, in full: all that its candidates follow from. Stored with the job."""

    schema_version: int = 1
    spec: JobSpec
    recipe: Recipe
    data: str = Field(description="fingerprint of the data set's content")
    plain: tuple[Name, ...] = Field(
        default=(), description="methods whose parent is trained like any network: the dense one is theirs, too"
    )
    given: tuple[Name, ...] = Field(default=(), description="methods that are given their widths")
    fine_tuning: dict[Name, FineTuning] = Field(
        default_factory=dict, description="how a method's inherited weights are trained on"
    )

    def finds_widths(self, method: MethodSpec, budget: Budget | Ratios) -> bool:
        """Whether a method's ranking decides how many channels each group keeps, and not which alone."""
        return isinstance(budget, Budget) and method.name not in self.given

    def has_own_parent(self, method: MethodSpec) -> bool:
        """Whether a method wants a parent that is trained its own way."""
        return method.name not in self.plain
