"""Sampled widths: the best trial's, widened until the budget is met."""

from __future__ import annotations

import pytest

from espalier.models.network import Network, dense
from espalier.search.arms.sampled import Sampled
from espalier.search.arms.trial import Trial
from espalier.search.spec import Budget, JobSpec
from tests.search.helpers import TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})


@pytest.mark.parametrize("budget", [Budget(metric="params", keep=0.4), Budget(metric="macs", keep=0.6)])
def test_groups_keep_their_proportions_and_the_budget_is_met(budget: Budget) -> None:
    given = derivation(CONFIG, seed=3)
    groups = given.dense.groups
    small = {group.name: max(1, group.width // (8 if group.stage > 2 else 3)) for group in groups}
    found = Trial(proxy="short", widths=small, shares=()).derive(given).network
    given.config = {"best": found.config}.__getitem__
    network = Sampled(budget=budget, sampler="tpe").derive(given).network
    whole = Network.of(CONFIG).cost
    assert getattr(found.cost, budget.metric) < getattr(network.cost, budget.metric)
    assert getattr(network.cost, budget.metric) <= budget.keep * getattr(whole, budget.metric)
    early, late = (
        [network.widths[group.name] / group.width for group in groups if (group.stage > 2) == is_late]
        for is_late in (False, True)
    )
    assert min(early) > max(late)


def test_it_is_named_by_its_sampler() -> None:
    one = Sampled(budget=Budget(metric="params", keep=0.4), sampler="nsga2")
    assert (one.name, one.role) == ("sampled by nsga2", "automatic")
    assert [*Sampled.plan(question(JobSpec(target=TARGET)))] == []
