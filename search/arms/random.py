"""Random widths: the sanity check that any search has to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from espalier.search.arms.baseline import Baseline

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Random(Baseline):
    """Every group thinner by a share of its own, drawn by the seed."""

    kind: Literal["random"] = "random"

    def derive(self, given: Derivation) -> Start:
        """Rates from U(0.1, 1)."""
        rates = np.random.default_rng(given.seed).uniform(0.1, 1.0, len(given.dense.groups))
        return given.by_rates([*rates], self.budget, draw=given.seed)
