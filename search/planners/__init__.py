"""The planners by name. A new one is one file and one line here."""

from __future__ import annotations

from typing import Any

from espalier.search.options import chosen
from espalier.search.planners.base import Planner
from espalier.search.planners.fixed import Fixed
from espalier.search.planners.sampled import SampledPlanner
from espalier.search.question import Question

PLANNERS: dict[str, type[Planner[Any]]] = {
    "fixed": Fixed,
    "sampled": SampledPlanner,
}


def create(question: Question) -> Planner[Any]:
    """The planner a job asks for. Raises UnknownName or SpecError."""
    kind, options = chosen("planner", question.spec.planner, PLANNERS)
    return kind(question, options)


__all__ = ["PLANNERS", "Planner", "create"]
