"""What automatic widths are held against: widths that need no parent, as large as the budget allows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar

from pydantic import Field

from espalier.search.arms.base import Planned, Role, Sized
from espalier.search.arms.dense import teacher_of
from espalier.search.arms.ways import from_scratch
from espalier.search.question import Question
from espalier.search.spec import Init


class Baseline(Sized):
    """An arm that automatic widths are held against: one for each budget, way of training and seed, if the job names
    its kind."""

    role: ClassVar[Role] = "baseline"
    init: Init = Field(default="scratch", exclude_if=lambda init: init == "scratch")

    @classmethod
    def plan(cls, question: Question) -> Iterator[Planned]:
        """Every budget, trained in every way that needs no parent, for every seed."""
        spec, kind = question.spec, cls.model_fields["kind"].default
        budgets = spec.budgets if kind in spec.baselines else ()
        for seed, budget, way in product(spec.all_seeds, budgets, from_scratch(question)):
            origin = cls(kind=kind, budget=budget, init=way.init)
            yield Planned(origin, seed, way.recipe, teacher_of(way.init, question, seed))
