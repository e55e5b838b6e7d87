"""Random widths that are drawn to choose among."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.arms.ways import dense_recipe
from espalier.search.question import Question
from espalier.search.spec import Budget, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class RandomDraw(Origin):
    """One of several random widths, the best of which `random_best` takes. It is no point of the front."""

    kind: Literal["random_draw"] = "random_draw"
    role: ClassVar[Role] = "parent"
    leaves: ClassVar[Literal["weights", "notes"]] = "notes"
    budget: Budget | Ratios
    draw: int

    @property
    def detail(self) -> str:
        """Which of them."""
        return f"draw {self.draw + 1}"

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """All draws for every budget and seed, if a job names `random_best`."""
        spec = question.spec
        budgets = spec.budgets if "random_best" in spec.baselines else ()
        for seed, budget in product(spec.all_seeds, budgets):
            if seed == question.parent_seed(seed):
                yield from draws_of(question, budget, seed)

    def derive(self, given: Derivation) -> Start:
        """Rates from U(0.1, 1)."""
        rates = np.random.default_rng([given.seed, self.draw]).uniform(0.1, 1.0, len(given.dense.groups))
        return given.by_rates([*rates], self.budget, draw=given.seed)


def draws_of(question: Question, budget: Budget | Ratios, seed: int) -> list[Planned]:
    """What a seed chooses among: as many as cost what training a method's parent does, trained for as many epochs."""
    recipe, seed = dense_recipe(question), question.parent_seed(seed)
    return [Planned(RandomDraw(budget=budget, draw=draw), seed, recipe) for draw in range(question.draws_for(budget))]
