"""Arms that follow a pattern: planned for the guides of their own kind."""

from __future__ import annotations

from typing import Any

from espalier.search.arms.guided import Guided
from espalier.search.arms.guided_weights import GuidedWeights
from espalier.search.spec import Budget, Guide, JobSpec, Kernel
from tests.search.helpers import TARGET, question

CROSS: Kernel = ((0.2, 0.4, 0.2), (0.4, 0.8, 0.4), (0.2, 0.4, 0.2))
BUDGET = Budget(metric="params", keep=0.3)


def test_guides_of_weights_and_of_widths_are_arms_of_their_own() -> None:
    guides = (Guide(name="one", keep=(0.5,)), Guide(name="two", kernels=(CROSS,)))
    spec = JobSpec(target=TARGET, budgets=(BUDGET,), guides=guides, methods=(), seeds=(3, 1))
    planned: list[Any] = [*GuidedWeights.plan(question(spec))]
    assert [(one.seed, one.origin.name) for one in planned] == [(3, "guided by two"), (1, "guided by two")]
    assert [one.origin.pattern for one in Guided.plan(question(spec))] == ["one", "one"]  # type: ignore[attr-defined]
