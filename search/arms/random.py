"""Random widths: the sanity check that any search has to pass."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar, Literal

from espalier.search.arms.base import Context, Origin, Planned, Role, Start, thinned_by_order
from espalier.search.spec import Budget, JobSpec, Ratios


class Random(Origin):
    """Every group thinner by a share of its own, drawn by the seed."""

    kind: Literal["random"] = "random"
    role: ClassVar[Role] = "baseline"
    budget: Budget | Ratios

    @classmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """One for each budget and seed, if the job asks for this baseline."""
        for seed, budget in product(spec.seeds, spec.budgets if "random" in spec.baselines else ()):
            yield Planned(cls(budget=budget), seed)

    def derive(self, context: Context) -> Start:
        """Fresh weights at those widths."""
        from espalier.search import allocate

        order = allocate.random(context.dense.groups, context.minimum_keep, context.seed)
        return thinned_by_order(context, order, self.budget, context.seed)
