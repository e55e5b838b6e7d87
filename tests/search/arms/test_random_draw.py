"""Random widths to choose among: as many as a parent's training pays for, each a draw of its own."""

from __future__ import annotations

import pytest

from espalier.models.document import content_hash
from espalier.models.network import dense
from espalier.search.arms.random_draw import RandomDraw
from espalier.search.spec import Budget, JobSpec
from tests.search.helpers import TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})
BUDGETS = (Budget(metric="params", keep=0.3), Budget(metric="macs", keep=0.5))
DRAWS = {content_hash(budget): draws for budget, draws in zip(BUDGETS, (3, 2), strict=True)}


@pytest.mark.parametrize(("parents", "seeds"), [("per_seed", [5, 2]), ("one", [5])])
def test_they_are_planned_for_each_budget_and_every_seed_that_has_parents(parents: str, seeds: list[int]) -> None:
    spec = JobSpec.model_validate(
        {"target": TARGET, "budgets": BUDGETS, "baselines": ["random_best"], "seeds": [5, 2], "parents": parents}
    )
    asked = question(spec).model_copy(update={"draws": DRAWS})
    planned = [(one.seed, str(one.origin.budget), one.origin.draw) for one in RandomDraw.plan(asked)]
    assert planned == [
        (seed, budget, draw)
        for seed in seeds
        for budget, draws in (("params=0.3", 3), ("macs=0.5", 2))
        for draw in range(draws)
    ]


def test_every_draw_of_every_seed_has_widths_of_its_own() -> None:
    found = [
        RandomDraw(budget=BUDGETS[0], draw=draw).derive(derivation(CONFIG, seed=seed)).network.widths
        for draw in range(4)
        for seed in range(2)
    ]
    assert len({tuple(widths.values()) for widths in found}) == 8


def test_it_says_which_it_is() -> None:
    one = RandomDraw(budget=BUDGETS[0], draw=0)
    assert (one.name, one.detail, one.role) == ("random_draw", "draw 1", "parent")
