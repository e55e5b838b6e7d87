"""Guided widths: a pattern's shares by stage, scaled to any budget."""

from __future__ import annotations

import pytest

from espalier.models.network import Network, dense
from espalier.search.arms.guided import Guided
from espalier.search.spec import Budget, Guide, JobSpec
from tests.search.helpers import TARGET, derivation, question

PARAMS, MACS = Budget(metric="params", keep=0.3), Budget(metric="macs", keep=0.4)
CONFIG = dense("vgg19", 10, (1, 32, 32), {"width": 0.25})


def shares(keep: tuple[float, ...], budget: Budget) -> tuple[Network, dict[str, float]]:
    """Of every group."""
    network = Guided(pattern="p", keep=keep, budget=budget).derive(derivation(CONFIG)).network
    whole = {group.name: group.width for group in derivation(CONFIG).dense.groups}
    return network, {name: width / whole[name] for name, width in network.config.widths.items()}


def test_there_is_one_for_each_guide_budget_and_seed() -> None:
    guides = (Guide(name="one", keep=(0.5,)), Guide(name="two", keep=(0.5, 0.1), budget=MACS))
    spec = JobSpec(target=TARGET, budgets=(PARAMS, MACS), guides=guides, methods=(), seeds=(3, 1))
    planned = [*Guided.plan(question(spec))]
    assert [(one.seed, one.origin.pattern, str(one.origin.budget)) for one in planned] == [
        (seed, name, budget)
        for seed in (3, 1)
        for name, budget in (("one", "params=0.3"), ("one", "macs=0.4"), ("two", "macs=0.4"))
    ]
    assert planned[0].origin.name == "guided by one"
    assert not any(one.needs for one in planned), "no parent is trained"


@pytest.mark.parametrize("budget", [PARAMS, MACS])
def test_a_stages_layers_are_thinned_alike_in_proportion_to_the_pattern(budget: Budget) -> None:
    keep = (0.9, 0.8, 0.7, 0.3, 0.2)
    network, found = shares(keep, budget)
    by_stage = [[found[group.name] for group in network.groups if group.stage == stage] for stage in range(5)]
    scale = by_stage[4][0] / keep[4]
    for kept, of_pattern in zip(by_stage, keep, strict=True):
        assert max(kept) - min(kept) <= 1 / 16 + 1e-9, "to a channel"
        assert kept[0] == pytest.approx(min(1, scale * of_pattern), abs=1 / 16), "no stage is wider than it was"
    cost, whole = network.cost, Network.of(CONFIG).cost
    assert getattr(cost, budget.metric) <= budget.keep * getattr(whole, budget.metric)


def test_equal_shares_are_uniform_widths() -> None:
    from espalier.search.arms.uniform import Uniform

    network, _ = shares((0.4,) * 5, PARAMS)
    assert network.config == Uniform(budget=PARAMS).derive(derivation(CONFIG)).network.config


def test_patterns_of_other_depths_are_read_at_the_same_relative_depth() -> None:
    _, found = shares((0.9, 0.3), PARAMS)
    kept = list(found.values())
    assert kept[0] > kept[-1]
    assert shares((0.9, 0.9), PARAMS)[1] == shares((0.5,), PARAMS)[1] == shares((0.4,) * 5, PARAMS)[1]
