"""Every group thinner by the same share: the baseline of Liu et al. 2019, section 5."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.spec import Budget, JobSpec, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


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

    def derive(self, given: Derivation) -> Start:
        """One rate for all groups."""
        return given.by_rates([1.0] * len(given.dense.groups), self.budget)
