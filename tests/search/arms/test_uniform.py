"""Uniform widths: one share of every group, the same for all seeds."""

from __future__ import annotations

from espalier.models.network import dense
from espalier.search.arms.uniform import Uniform
from espalier.search.spec import Budget, JobSpec
from tests.search.helpers import TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})
BUDGET = Budget(metric="params", keep=0.3)


def test_there_is_one_for_each_budget_and_seed_where_it_is_asked_for() -> None:
    spec = JobSpec(target=TARGET, budgets=(BUDGET,), baselines=("uniform",), seeds=(5, 2))
    assert [(one.origin, one.seed, dict(one.needs)) for one in Uniform.plan(question(spec))] == [
        (Uniform(budget=BUDGET), 5, {}), (Uniform(budget=BUDGET), 2, {}),
    ]  # fmt: skip
    assert [*Uniform.plan(question(spec.model_copy(update={"baselines": ("random",)})))] == []


def test_every_group_keeps_one_share_for_every_seed() -> None:
    given = derivation(CONFIG, seed=0)
    widths = Uniform(budget=BUDGET).derive(given).network.config.widths
    shares = [widths[group.name] / group.width for group in given.dense.groups]
    assert max(shares) - min(shares) <= 1 / min(group.width for group in given.dense.groups)
    assert Uniform(budget=BUDGET).derive(derivation(CONFIG, seed=1)).network.config.widths == widths


def test_networks_that_select_channels_read_the_same_ones_for_every_seed() -> None:
    config = dense("preresnet20", 10, (1, 32, 32), {"width": 0.25})
    picks = [Uniform(budget=BUDGET).derive(derivation(config, seed=seed)).network.config.picks for seed in (0, 1)]
    assert picks[0] == picks[1] != {}
