"""Every group thinner by the same share: the baseline of Liu et al. 2019, section 5."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar, Literal

from espalier.search.arms.base import Context, Origin, Planned, Role, Start, thinned_by_order
from espalier.search.spec import Budget, JobSpec, Ratios


class Uniform(Origin):
    """Every group thinner by the same share."""

    kind: Literal["uniform"] = "uniform"
    role: ClassVar[Role] = "baseline"
    budget: Budget | Ratios

    @classmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """One for each budget and seed, if the job asks for this baseline."""
        for seed, budget in product(spec.seeds, spec.budgets if "uniform" in spec.baselines else ()):
            yield Planned(cls(budget=budget), seed)

    def derive(self, context: Context) -> Start:
        """Fresh weights at those widths."""
        from espalier.search import allocate

        return thinned_by_order(context, allocate.uniform(context.dense.groups, context.minimum_keep), self.budget)
