"""Pruning single weights: budgets met exactly by rank and count, nothing emptied, patterns as the paper has them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espalier.models.network import Network, dense
from espalier.models.weight_mask import WeightMask
from espalier.search.errors import SpecError
from espalier.search.spec import Budget, Ratios
from espalier.search.weights import (
    allocate_weights,
    by_count,
    by_counts,
    of_weights,
    prunable_weights,
    room_for,
    sparsity_of,
    spread,
    usual_weights,
)

CONFIG = dense("lenet5", 10, (1, 16, 16), {"width": 0.2})
NETWORK = Network.of(CONFIG).fresh(1)
SCORES = of_weights(NETWORK, prunable_weights(NETWORK, "all"), torch.abs)
metrics: Any = st.sampled_from(["params", "macs"])


@settings(max_examples=40, deadline=None)
@given(metrics, st.floats(0.05, 1))
def test_a_budget_is_met_and_one_weight_more_would_break_it(metric: Any, keep: float) -> None:
    budget = Budget(metric=metric, keep=keep)
    masked = NETWORK.masked(allocate_weights(NETWORK, SCORES, budget))
    room = keep * getattr(NETWORK.cost, metric) * (1 + 1e-9)
    counted = getattr(masked.counted, metric)
    dearest = max(NETWORK.coupling.macs_per_weight.values()) if metric == "macs" else 1
    assert counted <= room
    assert counted + dearest > room or masked.counted == NETWORK.cost


@settings(max_examples=30, deadline=None)
@given(metrics, st.floats(0.05, 1), st.floats(0.05, 1))
def test_a_smaller_budget_keeps_a_part_of_what_a_larger_one_does(metric: Any, one: float, other: float) -> None:
    small, large = (
        allocate_weights(NETWORK, SCORES, Budget(metric=metric, keep=keep)).kept for keep in sorted((one, other))
    )
    assert all(bool((large[name] | ~kept).all()) for name, kept in small.items())


def test_what_stays_has_the_highest_scores_of_all_layers() -> None:
    mask = allocate_weights(NETWORK, SCORES, Budget(metric="params", keep=0.4))
    kept = torch.cat([SCORES[name][keep] for name, keep in mask.kept.items()])
    gone = torch.cat([SCORES[name][~keep] for name, keep in mask.kept.items()])
    assert float(kept.min()) >= float(gone.max())


def test_a_layer_whose_every_score_is_lowest_keeps_its_best() -> None:
    low = {**SCORES, "fc1.weight": SCORES["fc1.weight"] * 1e-9}
    budget = Budget(metric="params", keep=0.3)
    for mask in (allocate_weights(NETWORK, low, budget), by_count(low, 60), by_counts(low, dict.fromkeys(low, 0))):
        kept = mask.kept["fc1.weight"]
        assert kept.sum() == 1
        assert bool(kept.view(-1)[low["fc1.weight"].argmax()])


def test_all_equal_scores_still_keep_the_right_number() -> None:
    equal = {name: torch.ones_like(values) for name, values in SCORES.items()}
    budget = Budget(metric="params", keep=0.5)
    assert NETWORK.masked(allocate_weights(NETWORK, equal, budget)).counted.params == NETWORK.cost.params // 2
    assert sum(int(kept.sum()) for kept in by_count(equal, 100).kept.values()) == 100


def test_counts_are_kept_by_layer_or_over_all() -> None:
    wanted = {name: values.numel() // 3 for name, values in SCORES.items()}
    mask = by_counts(SCORES, wanted)
    assert {name: int(kept.sum()) for name, kept in mask.kept.items()} == wanted
    for name, kept in mask.kept.items():
        assert float(SCORES[name][kept].min()) >= float(SCORES[name][~kept].max())
    over_all = by_count(SCORES, 500)
    values = torch.cat([values.flatten() for values in SCORES.values()])
    kept = torch.cat([kept.flatten() for kept in over_all.kept.values()])
    assert set(values.topk(490).indices.tolist()) <= set(kept.nonzero().flatten().tolist())


def test_a_budget_below_what_is_never_cut_names_the_least() -> None:
    with pytest.raises(
        SpecError, match=r"no mask keeps 0.0001 of the params: what is not cut takes 0\.\d+; ask"
    ) as told:
        room_for(NETWORK, tuple(SCORES), Budget(metric="params", keep=0.0001))
    least = float(str(told.value).split("takes ")[1].split(";")[0])
    assert allocate_weights(NETWORK, SCORES, Budget(metric="params", keep=least))


@pytest.mark.parametrize("budget", [Budget(metric="channels", keep=0.5), Ratios(by="stage", ratios={"0": 0.5})])
def test_budgets_about_channels_are_refused(budget: Any) -> None:
    with pytest.raises(SpecError, match="single weights meet budgets of params or macs, and not"):
        room_for(NETWORK, tuple(SCORES), budget)


def test_layers_are_chosen_by_kind() -> None:
    assert prunable_weights(NETWORK, "conv") == usual_weights(NETWORK) == ("features.0.weight", "features.2.weight")
    assert prunable_weights(NETWORK, "linear") == ("fc1.weight", "classifier.weight")
    assert len(prunable_weights(NETWORK, "all")) == 4
    linear = Network.of(dense("lenet300", 10, (1, 8, 8), {"width": 0.1}))
    assert usual_weights(linear) == prunable_weights(linear, "all")
    with pytest.raises(SpecError, match="lenet300 has no convolution whose single weights could be cut"):
        prunable_weights(linear, "conv")


def test_fresh_weights_are_the_wider_the_fewer_stay() -> None:
    network = Network.of(CONFIG).fresh(1)
    before = {name: network.module.get_parameter(name).detach().clone() for name in SCORES}
    mask = by_counts(SCORES, {name: values.numel() // 4 for name, values in SCORES.items()})
    spread(network, mask)
    for name, share in mask.densities.items():
        assert torch.allclose(network.module.get_parameter(name), before[name] * share**-0.5)


def test_a_pattern_is_the_share_that_is_left_at_each_place_of_a_stages_kernels() -> None:
    network = Network.of(dense("vgg11", 10, (1, 32, 32), {"width": 0.1})).fresh()
    names = prunable_weights(network, "conv")
    kept = {}
    for index, name in enumerate(names):
        mask = torch.zeros(network.module.get_parameter(name).shape, dtype=torch.bool)
        mask[:, :, 1, 1] = True
        mask[: 1 + index % 2, :, 0, 0] = True
        kept[name] = mask
    found = sparsity_of(network.masked(WeightMask(kept)))
    assert found is not None
    assert set(found.kernels) == {0, 1, 2, 3, 4}
    assert all(rows[1][1] == 1 and rows[2][2] == 0 and 0 < rows[0][0] < 1 for rows in found.kernels.values())
    assert found.layers == {name: float(mask.double().mean()) for name, mask in kept.items()}
    assert sparsity_of(network) is None
