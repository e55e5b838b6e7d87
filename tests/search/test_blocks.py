"""Budgets of whole blocks: the highest scores stay, as many as there is room for."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from espalier.models.blocks import BlockMask, branches, without_blocks
from espalier.models.network import Network, dense
from espalier.search.blocks import allocate_blocks, check_blocks
from espalier.search.errors import SpecError
from espalier.search.spec import Budget, Ratios

NETWORK = Network.of(dense("resnet20", 10, (1, 8, 8), {"width": 0.25, "blocks": [2, 2, 2]}))
NAMES = [branch.block for branch in branches(NETWORK)]


def share(mask: BlockMask, metric: str) -> float:
    return float(getattr(Network.of(without_blocks(NETWORK, mask)).cost, metric) / getattr(NETWORK.cost, metric))


@given(
    values=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=6, max_size=6),
    keep=st.floats(0.1, 1.0),
    metric=st.sampled_from(["params", "macs"]),
)
def test_the_highest_scores_stay_as_many_as_there_is_room_for(values: list[float], keep: float, metric: str) -> None:
    budget = Budget(metric=metric, keep=keep)
    scores = {name: torch.tensor([value]) for name, value in zip(NAMES, values, strict=True)}
    try:
        mask = allocate_blocks(NETWORK, scores, budget)
    except SpecError:
        assert share(BlockMask(dict.fromkeys(NAMES, False)), metric) > keep
        return
    assert share(mask, metric) <= keep
    order = sorted(NAMES, key=lambda name: (-float(scores[name]), NAMES.index(name)))
    assert all(mask.keeps(one) >= mask.keeps(other) for one, other in pairwise(order))
    if left := [name for name in order if not mask.keeps(name)]:
        assert share(BlockMask({**mask.kept, left[0]: True}), metric) > keep


def test_a_budget_below_the_network_without_blocks_says_what_works() -> None:
    with pytest.raises(SpecError, match=r"no choice of blocks keeps 0\.01 of the macs.*keeps 0\.0\d+; ask for that"):
        check_blocks(NETWORK, Budget(metric="macs", keep=0.01))


@pytest.mark.parametrize(
    "budget", [Budget(metric="channels", keep=0.5), Ratios(by="stage", ratios={"0": 0.5}, metric="params")]
)
def test_budgets_of_channels_are_refused(budget: Budget | Ratios) -> None:
    with pytest.raises(SpecError, match="whole blocks meet budgets of params or macs"):
        check_blocks(NETWORK, budget)
