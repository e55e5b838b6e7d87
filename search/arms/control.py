"""Ranking controls: a method's own parent and budget, with its ranking turned round, dealt out again, or found without
its penalty. A method that does not beat them has found nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar, Literal

from espalier.search.arms.base import Planned, Role
from espalier.search.arms.dense import dense_of, teacher_of
from espalier.search.arms.scored import Scored
from espalier.search.arms.sparse import parents_of
from espalier.search.arms.ways import ways
from espalier.search.question import Question
from espalier.search.spec import Ranking


class Control(Scored):
    """A method's widths by another ranking than its own: reversed, shuffled, or without its penalty."""

    kind: Literal["control"] = "control"
    role: ClassVar[Role] = "baseline"
    ranking: Ranking

    @property
    def control(self) -> Ranking:
        """What becomes of the scores before they rank."""
        return self.ranking

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every control of every method, at every budget, trained in every way, for every seed, where it is another
        network than the method's own."""
        spec = question.spec
        for seed, budget, method, ranking in product(spec.all_seeds, spec.budgets, spec.methods, spec.controls):
            dense = {"parent": dense_of(question, question.parent_seed(seed))}
            needs = dense if ranking == "no_penalty" else parents_of(method, question, seed)
            for way in ways(question, method, budget):
                if question.is_controlled(method, budget, ranking, way.init):
                    origin = cls(ranking=ranking, method=method, budget=budget, init=way.init, lr=way.lr)
                    yield Planned(origin, seed, way.recipe, {**needs, **teacher_of(way.init, question, seed)})
