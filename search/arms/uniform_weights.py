"""Every weight stays with the same probability: the baseline of unstructured pruning (Liu et al. 2019, section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from espalier.search.arms.baseline import Baseline

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class UniformWeights(Baseline):
    """Single weights drawn by the seed, as many as the budget has room for."""

    kind: Literal["uniform_weights"] = "uniform_weights"

    def derive(self, given: Derivation) -> Start:
        """Of convolutions, or where there are none, of linear layers."""
        return given.by_drawn_weights(self.budget)
