"""What can be said of a job before it runs. No torch: the service reads it."""

from __future__ import annotations

from typing import NamedTuple

from espalier.models.config import Cost
from espalier.search.candidates import Candidate
from espalier.search.question import Question


class PlanEstimate(NamedTuple):
    """A job that can work, and what it would take."""

    question: Question
    candidates: tuple[Candidate, ...]
    """Those that its planner asks for first."""
    most: int
    """How many it may ask for, where seeds are added."""
    dense: Cost
    epochs: int
    macs: int
    """Multiply-adds of all training, forward and backward (three forward passes); pruned networks are taken to cost
    what uniform ones cost at the same budget."""

    @property
    def most_macs(self) -> float:
        """The same, if all seeds come that may be added."""
        return self.macs * max(1.0, self.most / max(1, len(self.candidates)))
