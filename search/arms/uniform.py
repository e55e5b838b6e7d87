"""Every group thinner by the same share: the baseline of Liu et al. 2019, section 5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from espalier.search.arms.baseline import Baseline

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Uniform(Baseline):
    """Every group thinner by the same share."""

    kind: Literal["uniform"] = "uniform"

    def derive(self, given: Derivation) -> Start:
        """One rate for all groups."""
        return given.by_rates([1.0] * len(given.dense.groups), self.budget)
