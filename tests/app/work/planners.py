"""Planners that ask for more when they know more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from espalier.models.document import NoOptions
from espalier.search.arms.base import Planned
from espalier.search.arms.dense import Dense
from espalier.search.arms.pruned import Pruned
from espalier.search.arms.sparse import Sparse
from espalier.search.arms.uniform import Uniform
from espalier.search.candidates import Candidate
from espalier.search.errors import SpecError
from espalier.search.planners import Planner
from espalier.search.results import Failure, Outcome
from espalier.search.spec import Budget


class Halving(Planner[NoOptions]):
    """The dense network and one thinner one; when they are done, one half as large, three times over."""

    Options = NoOptions
    asked: ClassVar[list[frozenset[str]]] = []
    """With what it was asked, each time."""
    tries: ClassVar[list[str | None]] = []
    """What came of the thinner ones, at the last question: None for a result, else the error."""

    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:
        self.asked.append(frozenset(done))
        seed, recipe = self.question.spec.seeds[0], self.question.recipe
        thin = [Planned(Uniform(budget=Budget(metric="params", keep=0.5**n)), seed, recipe) for n in (1, 2, 3)]
        keys = [one.key for one in self.candidates(thin, done)]
        found = [done[key] for key in keys if key in done]
        self.tries[:] = [one.error if isinstance(one, Failure) else None for one in found]
        return self.candidates([Planned(Dense(), seed, recipe), *thin[: len(found) + 1]], done)


class Stuck(Halving):
    """Does not know how to go on."""

    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:
        if done:
            raise SpecError("no front to search on")
        return super().next(done)


class Twice(Planner[NoOptions]):
    """Everything but what comes of the first method's parent; then that, whatever became of the parent."""

    Options = NoOptions

    def next(self, done: Mapping[str, Outcome]) -> Sequence[Candidate]:
        spec = self.question.spec
        pruned = list(Pruned.plan(self.question))
        at_once = [one for one in pruned if done or one.origin.method != spec.methods[0]]
        return self.candidates([*Sparse.plan(self.question), *Uniform.plan(self.question), *at_once], done)
