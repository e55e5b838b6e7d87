"""Guided widths: a pattern found elsewhere, scaled to a budget (Liu et al. 2019, section 5.2: guided pruning)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from espalier.search.arms.base import Planned, Role, Sized
from espalier.search.arms.dense import teacher_of
from espalier.search.arms.ways import from_scratch
from espalier.search.question import Question
from espalier.search.spec import Share

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Guided(Sized):
    """Every group of a stage thinner by that stage's share in a pattern, until the budget is met."""

    kind: Literal["guided"] = "guided"
    role: ClassVar[Role] = "automatic"
    pattern: str = Field(description="what it is called")
    keep: tuple[Share, ...] = Field(min_length=1, description="by stage, from the first")

    @property
    def subject(self) -> str:
        """The pattern."""
        return f"guided by {self.pattern}"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every guide of widths at its own budget, or at all where it has none, trained in every way that needs no
        parent, for every seed."""
        spec = question.spec
        guides = [guide for guide in spec.guides if guide.keep]
        for seed, budget, guide, way in product(spec.all_seeds, spec.budgets, guides, from_scratch(question)):
            if guide.budget is None or guide.budget == budget:
                origin = cls(pattern=guide.name, keep=guide.keep, budget=budget, init=way.init)
                yield Planned(origin, seed, way.recipe, teacher_of(way.init, question, seed))

    def derive(self, given: Derivation) -> Start:
        """Rates by stage. Where the network has another number of stages, they are read at the same relative depth."""
        return given.by_stages(self.keep, self.budget)
