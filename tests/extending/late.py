"""An arm: late layers are thinned before early ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from espalier.search.arms.baseline import Baseline

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Late(Baseline):
    """The last groups are thinned first."""

    kind: Literal["late"] = "late"

    def derive(self, given: Derivation) -> Start:
        """The first group comes in five times as fast as the last."""
        count = len(given.dense.groups)
        return given.by_rates([1 - 0.8 * place / count for place in range(count)], self.budget)
