"""What arms share that follow a pattern found elsewhere, and so need no parent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, ClassVar

from pydantic import Field

from espalier.search.arms.base import Planned, Role, Sized
from espalier.search.arms.dense import teacher_of
from espalier.search.arms.ways import from_scratch
from espalier.search.question import Question


class Following(Sized):
    """A pattern, scaled to a budget."""

    role: ClassVar[Role] = "automatic"
    what: ClassVar[str]
    """The field of guides, and of the arm, that says what stays."""
    pattern: str = Field(description="what it is called")

    @property
    def subject(self) -> str:
        """The pattern."""
        return f"guided by {self.pattern}"

    @property
    def followed(self) -> Any:
        """What stays, by stage."""
        return getattr(self, self.what)

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every guide of this kind at its own budget, or at all where it has none, trained in every way that needs no
        parent, for every seed."""
        spec = question.spec
        guides = [guide for guide in spec.guides if getattr(guide, cls.what)]
        for seed, budget, guide, way in product(spec.all_seeds, spec.budgets, guides, from_scratch(question)):
            if guide.budget is None or guide.budget == budget:
                stays = {cls.what: getattr(guide, cls.what)}
                origin = cls(pattern=guide.name, budget=budget, init=way.init, **stays)
                yield Planned(origin, seed, way.recipe, teacher_of(way.init, question, seed))
