"""Ranking controls: a method's own parent and budget, with its ranking turned round, dealt out again, or found without
its penalty. A method that does not beat them has found nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.dense import Dense
from espalier.search.arms.sparse import parent_of
from espalier.search.question import Question
from espalier.search.recipe import Recipe, fine_tuning
from espalier.search.spec import Budget, Init, MethodSpec, Ranking, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Control(Origin):
    """A method's widths by another ranking than its own: reversed, shuffled, or without its penalty."""

    kind: Literal["control"] = "control"
    role: ClassVar[Role] = "baseline"
    ranking: Ranking
    method: MethodSpec
    budget: Budget | Ratios
    init: Init = "scratch"

    @property
    def name(self) -> str:
        """The method with its options, what became of its ranking, and how its weights began."""
        return f"{self.method} {self.ranking}" + ("" if self.init == "scratch" else f" {self.init}")

    def recipe(self, recipe: Recipe) -> Recipe:
        """As the method's own."""
        return recipe if self.init == "scratch" else fine_tuning(recipe)

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every control of every method, at every budget, with every start, for every seed, where it is another network
        than the method's own: from scratch only widths matter."""
        spec = question.spec
        everything = product(spec.seeds, spec.budgets, spec.methods, spec.controls, spec.inits)
        for seed, budget, method, ranking, init in everything:
            widths_change = ranking != "shuffled" and question.finds_widths(method, budget)
            parent_changes = ranking == "no_penalty" and question.has_own_parent(method)
            if (widths_change or init == "inherited") and (parent_changes or ranking != "no_penalty"):
                parent = Planned(Dense(), spec.seeds[0]) if parent_changes else parent_of(method, question)
                yield Planned(cls(ranking=ranking, method=method, budget=budget, init=init), seed, {"parent": parent})

    def derive(self, given: Derivation) -> Start:
        """Rank the parent's channels, turn the ranking into the control's, keep as many as the budget has room for."""
        mask = given.ranked(self.method, "parent", self.budget, self.ranking)
        return given.fresh(mask) if self.init == "scratch" else given.inherited(self.method, "parent", mask)
