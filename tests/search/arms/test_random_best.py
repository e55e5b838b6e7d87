"""The best of some random widths: chosen by the hold-out, trained anew, at what a parent costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from espalier.models.document import content_hash
from espalier.models.network import dense
from espalier.search.arms.random_best import RandomBest
from espalier.search.arms.random_draw import RandomDraw
from espalier.search.candidates import Candidate
from espalier.search.planners import create
from espalier.search.question import Question
from espalier.search.results import Failure, Outcome
from espalier.search.spec import Budget, JobSpec
from tests.search.helpers import TARGET, derivation, question, result

BUDGET = Budget(metric="params", keep=0.3)
CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})


def asked(**changes: Any) -> Question:
    spec = {"target": TARGET, "budgets": [BUDGET], "methods": [], "baselines": ["random_best"], "seeds": [5, 2]}
    found = question(JobSpec.model_validate(spec | changes))
    return found.model_copy(update={"draws": {content_hash(BUDGET): 3}})


def after(one: Question, outcome: Any) -> list[Candidate]:
    """What is asked for once the draws have come to an end."""
    planner = create(one)
    first = planner.next({})
    done: dict[str, Outcome] = {candidate.key: outcome(candidate) for candidate in first}
    return [candidate for candidate in planner.next(done) if candidate.key not in done]


def told(candidate: Candidate) -> Outcome:
    """The second draw is the best on the hold-out; on the test data the third is."""
    if not isinstance(origin := candidate.origin, RandomDraw):
        return result(candidate)
    holdout, test = (0.5, 0.7, 0.6)[origin.draw], (0.1, 0.2, 0.9)[origin.draw]
    return result(candidate, holdout={"accuracy": holdout}, test={"accuracy": test})


def test_it_is_asked_for_once_its_draws_are_done_and_needs_them_best_first() -> None:
    one = asked()
    draws = {c.key: c for c in create(one).next({}) if c.origin.kind == "random_draw"}
    assert len(draws) == 6
    for best in after(one, told):
        assert best.origin == RandomBest(budget=BUDGET)
        needed = {role: draws[key] for role, key in best.needs.items()}
        assert {role: c.origin.draw for role, c in needed.items()} == {"best": 1, "choice 2": 2, "choice 3": 0}
        assert {c.seed for c in needed.values()} == {best.seed}


def test_draws_that_failed_are_not_chosen_and_where_all_failed_so_does_the_best() -> None:
    def failing(candidate: Candidate) -> Outcome:
        is_best = isinstance(candidate.origin, RandomDraw) and candidate.origin.draw == 1
        return Failure(key=candidate.key, error="no") if is_best else told(candidate)

    assert [[*one.needs] for one in after(asked(), failing)] == [["best", "choice 2"]] * 2
    lost = after(asked(), lambda candidate: Failure(key=candidate.key, error="no"))
    assert len(lost) == 2, "they need what failed, and fail with it"
    assert all(len(one.needs) == 3 for one in lost)


def test_seeds_share_the_draws_of_the_first_where_they_share_parents() -> None:
    found = after(asked(parents="one"), told)
    assert [one.seed for one in found] == [5, 2]
    assert found[0].needs == found[1].needs
    assert found[0].arm == found[1].arm


def test_all_that_it_may_ask_for_is_counted_before() -> None:
    planner = create(asked())
    first = planner.next({})
    assert planner.most() == len(first) + len(after(asked(), told)) == 2 * (1 + 3 + 1)


def test_its_widths_are_those_of_the_best_draw_with_weights_of_its_own() -> None:
    given = derivation(CONFIG, seed=3)
    drawn = RandomDraw(budget=BUDGET, draw=1).derive(given).network
    given.config = {"best": drawn.config}.__getitem__
    found = RandomBest(budget=BUDGET).derive(given).network
    assert found.config == drawn.config
    first = "features.0.weight"
    assert not torch.equal(found.module.get_parameter(first), drawn.module.get_parameter(first)), "it is trained anew"


@pytest.mark.parametrize("arch", ["preresnet20"])
def test_networks_that_select_channels_select_those_of_the_draw(arch: str) -> None:
    given = derivation(dense(arch, 10, (1, 32, 32), {"width": 0.25}), seed=3)
    drawn = RandomDraw(budget=BUDGET, draw=1).derive(given).network
    given.config = {"best": drawn.config}.__getitem__
    found = RandomBest(budget=BUDGET).derive(given).network.config
    assert found.picks == drawn.config.picks != {}
