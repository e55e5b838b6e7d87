"""Automatic widths: what a method's scores on its trained parent make of a budget."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar, Literal

from espalier.search.arms.base import Planned, Role
from espalier.search.arms.dense import teacher_of
from espalier.search.arms.scored import Scored
from espalier.search.arms.sparse import parents_of
from espalier.search.arms.ways import ways
from espalier.search.question import Question


class Pruned(Scored):
    """Widths from a method's scores; trained from scratch, or fine-tuned with the parent's weights."""

    kind: Literal["pruned"] = "pruned"
    role: ClassVar[Role] = "automatic"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every method at every budget, trained in every way, for every seed."""
        spec = question.spec
        for seed, budget, method in product(spec.all_seeds, spec.budgets, spec.methods):
            needs = parents_of(method, question, seed)
            for way in ways(question, method, budget):
                origin = cls(method=method, budget=budget, init=way.init, lr=way.lr)
                yield Planned(origin, seed, way.recipe, {**needs, **teacher_of(way.init, question, seed)})
