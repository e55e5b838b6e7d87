"""Automatic widths: what a method's scores on its trained parent make of a budget."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.sparse import parent_of
from espalier.search.question import Question
from espalier.search.recipe import Recipe, fine_tuning
from espalier.search.spec import Budget, Init, MethodSpec, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Pruned(Origin):
    """Widths from a method's scores; trained from scratch, or fine-tuned with the parent's weights."""

    kind: Literal["pruned"] = "pruned"
    role: ClassVar[Role] = "automatic"
    method: MethodSpec
    budget: Budget | Ratios
    init: Init = "scratch"

    @property
    def name(self) -> str:
        """The method with its options, and how its weights began."""
        return str(self.method) + ("" if self.init == "scratch" else f" {self.init}")

    def recipe(self, recipe: Recipe) -> Recipe:
        """Inherited weights are fine-tuned."""
        return recipe if self.init == "scratch" else fine_tuning(recipe)

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every method at every budget, with every start, for every seed; all seeds have one parent."""
        spec = question.spec
        for seed, budget, method, init in product(spec.seeds, spec.budgets, spec.methods, spec.inits):
            parent = parent_of(method, question)
            yield Planned(cls(method=method, budget=budget, init=init), seed, {"parent": parent})

    def derive(self, given: Derivation) -> Start:
        """Rank the parent's channels, keep as many as the budget has room for."""
        mask = given.ranked(self.method, "parent", self.budget)
        return given.fresh(mask) if self.init == "scratch" else given.inherited(self.method, "parent", mask)
