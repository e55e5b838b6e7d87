"""Guided widths: a pattern found elsewhere, scaled to a budget (Liu et al. 2019, section 5.2: guided pruning)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from espalier.search.arms.following import Following
from espalier.search.spec import Share

if TYPE_CHECKING:
    from espalier.search.derivation import Derivation, Start


class Guided(Following):
    """Every group of a stage thinner by that stage's share in a pattern, until the budget is met."""

    what: ClassVar[str] = "keep"
    kind: Literal["guided"] = "guided"
    keep: tuple[Share, ...] = Field(min_length=1, description="by stage, from the first")

    def derive(self, given: Derivation) -> Start:
        """Rates by stage. Where the network has another number of stages, they are read at the same relative depth."""
        return given.by_stages(self.keep, self.budget)
