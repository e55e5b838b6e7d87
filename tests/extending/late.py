"""An arm: late layers are thinned before early ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.spec import Budget, JobSpec, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Late(Origin):
    """The last groups are thinned first."""

    kind: Literal["late"] = "late"
    role: ClassVar[Role] = "baseline"
    budget: Budget | Ratios

    @classmethod
    def plan(cls, spec: JobSpec) -> Iterator[Planned]:
        """One for each budget and seed, if the job asks for it."""
        for seed, budget in product(spec.seeds, spec.budgets if "late" in spec.baselines else ()):
            yield Planned(cls(budget=budget), seed)

    def derive(self, given: Derivation) -> Start:
        """The first group comes in five times as fast as the last."""
        count = len(given.dense.groups)
        return given.by_rates([1 - 0.8 * place / count for place in range(count)], self.budget)
