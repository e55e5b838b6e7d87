"""What jobs may take: more is refused when it is asked for, or stopped when it was taken."""

from __future__ import annotations

from typing import NamedTuple

from espalier.app.words import count
from espalier.search.errors import SpecError
from espalier.search.estimate import PlanEstimate


class Caps(NamedTuple):
    """Of one job; None is without limit."""

    macs: float | None = None
    """Multiply-adds of training, as planned."""
    seconds: float | None = None
    """Of training, summed over what runs side by side."""

    def check(self, estimate: PlanEstimate) -> None:
        """Raise SpecError if a job would take more multiply-adds than one may."""
        if self.macs is not None and estimate.most_macs > self.macs:
            raise SpecError(
                f"this search takes {count(estimate.most_macs)} multiply-adds in all, and a job here no more than "
                f"{count(self.macs)}: ask for fewer seeds, budgets, arms or epochs, or for a smaller network"
            )

    def seconds_of(self, wanted: float | None) -> float | None:
        """How long a job may train that wants no more than that."""
        limits = [limit for limit in (self.seconds, wanted) if limit is not None]
        return min(limits, default=None)


UNCAPPED = Caps()
