"""Random widths: the sanity check that any search has to pass."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from espalier.search.arms.base import Origin, Planned, Role
from espalier.search.spec import Budget, JobSpec, Ratios

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


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

    def derive(self, given: Derivation) -> Start:
        """Rates from U(0.1, 1)."""
        rates = np.random.default_rng(given.seed).uniform(0.1, 1.0, len(given.dense.groups))
        return given.by_rates([*rates], self.budget, draw=given.seed)
