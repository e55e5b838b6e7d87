"""Random widths: a draw for each seed, and no more than the budget."""

from __future__ import annotations

from espalier.models.network import dense
from espalier.search.arms.random import Random
from espalier.search.spec import Budget, JobSpec
from tests.search.helpers import TARGET, derivation, question

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.25})
BUDGET = Budget(metric="params", keep=0.3)


def widths(seed: int) -> dict[str, int]:
    config = Random(budget=BUDGET).derive(derivation(CONFIG, seed=seed)).network.config
    return dict(config.widths)


def test_there_is_one_for_each_budget_and_seed_where_it_is_asked_for() -> None:
    spec = JobSpec(target=TARGET, budgets=(BUDGET,), baselines=("random",), seeds=(5, 2))
    assert [(one.origin, one.seed) for one in Random.plan(question(spec))] == [
        (Random(budget=BUDGET), 5),
        (Random(budget=BUDGET), 2),
    ]
    assert [*Random.plan(question(spec.model_copy(update={"baselines": ("uniform",)})))] == []


def test_the_seed_is_the_draw() -> None:
    assert widths(0) == widths(0) != widths(1)


def test_groups_have_shares_of_their_own() -> None:
    groups = derivation(CONFIG).dense.groups
    for seed in range(3):
        shares = [widths(seed)[group.name] / group.width for group in groups]
        assert max(shares) - min(shares) > 0.2


def test_networks_that_select_channels_read_others_for_another_seed() -> None:
    config = dense("preresnet20", 10, (1, 32, 32), {"width": 0.25})
    picks = [Random(budget=BUDGET).derive(derivation(config, seed=seed)).network.config.picks for seed in (0, 1)]
    assert picks[0] != picks[1]
