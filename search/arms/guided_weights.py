"""Guided sparsification: single weights drawn by a pattern found elsewhere (Liu et al. 2019, section 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from espalier.search.arms.base import Planned, Role, Sized
from espalier.search.arms.dense import teacher_of
from espalier.search.arms.ways import from_scratch
from espalier.search.question import Question
from espalier.search.spec import Kernel

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class GuidedWeights(Sized):
    """Places of 3x3 kernels stay as often as a pattern says of their stage, in proportion, until the budget is met."""

    kind: Literal["guided_weights"] = "guided_weights"
    role: ClassVar[Role] = "automatic"
    pattern: str = Field(description="what it is called")
    kernels: tuple[Kernel, ...] = Field(min_length=1, description="by stage, from the first")

    @property
    def subject(self) -> str:
        """The pattern."""
        return f"guided by {self.pattern}"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every guide of single weights at its own budget, or at all where it has none, trained in every way that needs
        no parent, for every seed."""
        spec = question.spec
        guides = [guide for guide in spec.guides if guide.kernels]
        for seed, budget, guide, way in product(spec.all_seeds, spec.budgets, guides, from_scratch(question)):
            if guide.budget is None or guide.budget == budget:
                origin = cls(pattern=guide.name, kernels=guide.kernels, budget=budget, init=way.init)
                yield Planned(origin, seed, way.recipe, teacher_of(way.init, question, seed))

    def derive(self, given: Derivation) -> Start:
        """Weights of other kernels stay as often as those of 3x3 kernels do in the mean."""
        return given.by_kernels(self.kernels, self.budget)
