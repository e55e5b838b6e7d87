"""One cap on the width of every group: the simplest answer to layers that are too wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from espalier.search.arms.baseline import Baseline

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Capped(Baseline):
    """Every group at most so many channels wide, the same number for all."""

    kind: Literal["capped"] = "capped"

    def derive(self, given: Derivation) -> Start:
        """The largest cap that the budget has room for; some groups may have one channel more."""
        return given.capped(self.budget)
