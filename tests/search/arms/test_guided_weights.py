"""Guided sparsification: places of 3x3 kernels stay as often as a pattern says, in proportion, to any budget."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from espalier.models.network import Network, dense
from espalier.search.arms.guided_weights import GuidedWeights
from espalier.search.spec import Budget, Kernel
from tests.search.helpers import derivation

CONFIG = dense("vgg11", 10, (1, 32, 32), {"width": 0.5})
CROSS: Kernel = ((0.2, 0.4, 0.2), (0.4, 0.8, 0.4), (0.2, 0.4, 0.2))
FLAT: Kernel = ((0.3, 0.3, 0.3), (0.3, 0.3, 0.3), (0.3, 0.3, 0.3))
BUDGET = Budget(metric="params", keep=0.3)


def by_stage(kernels: tuple[Kernel, ...], budget: Budget = BUDGET, seed: int = 0) -> tuple[Network, list[Tensor]]:
    """Share of kernels that keep each place, by stage."""
    network = GuidedWeights(pattern="p", kernels=kernels, budget=budget).derive(derivation(CONFIG, seed)).network
    assert network.weight_mask is not None
    stages: dict[int, list[Tensor]] = {}
    for name, kept in network.weight_mask.kept.items():
        stages.setdefault(network.coupling.stages[name.removesuffix(".weight")], []).append(kept.flatten(0, 1))
    return network, [torch.cat(found).double().mean(0) for _, found in sorted(stages.items())]


@pytest.mark.parametrize("budget", [BUDGET, Budget(metric="macs", keep=0.4)])
def test_places_stay_in_proportion_and_the_budget_is_met(budget: Budget) -> None:
    kernels = (CROSS, CROSS, FLAT, FLAT, FLAT)
    network, found = by_stage(kernels, budget)
    scale = float(found[-1].mean()) / 0.3
    for kept, wanted in zip(found[1:], kernels[1:], strict=True):  # the first has 32 kernels
        assert torch.allclose(kept, (scale * torch.tensor(wanted).double()).clamp(max=1), atol=0.04)
    room = budget.keep * getattr(network.cost, budget.metric)
    assert 0 <= room - getattr(network.counted, budget.metric) <= max(network.coupling.macs_per_weight.values())


def test_a_place_that_nothing_keeps_is_never_drawn_while_there_are_others() -> None:
    ends: Kernel = ((0.0, 0.5, 0.0), (0.5, 0.9, 0.5), (0.0, 0.5, 0.0))
    _, found = by_stage((ends,), Budget(metric="params", keep=0.2))
    assert all(float(kept[0, 0] + kept[0, 2] + kept[2, 0] + kept[2, 2]) == 0 for kept in found)


def test_other_numbers_of_stages_are_read_at_the_same_relative_depth() -> None:
    _, found = by_stage((FLAT, ((0.1,) * 3,) * 3))
    means = [float(kept.mean()) for kept in found[1:]]
    assert means == sorted(means, reverse=True)
    assert means[0] > 2 * means[-1]


def test_stages_without_such_kernels_do_not_shift_the_others() -> None:
    """A pattern has the stages that have 3x3 kernels; the stem's 7x7 ones are in another, and follow the next."""
    levels = (0.8, 0.4, 0.2, 0.1)
    kernels: Any = tuple(((level,) * 3,) * 3 for level in levels)
    given = derivation(dense("torchvision/resnet18", 10, (3, 64, 64)))
    arm = GuidedWeights(pattern="p", kernels=kernels, budget=Budget(metric="params", keep=0.15))
    mask = arm.derive(given).network.weight_mask
    assert mask is not None
    found = [mask.densities[f"layer{stage}.1.conv2.weight"] for stage in (1, 2, 3, 4)]
    assert [one / found[-1] for one in found[1:]] == pytest.approx([4, 2, 1], rel=0.05)
    assert found[0] == pytest.approx(mask.densities["conv1.weight"], abs=0.03)


def test_each_seed_draws_its_own_and_the_same_again() -> None:
    first, again, other = (by_stage((CROSS,), seed=seed)[0].weight_mask for seed in (0, 0, 1))
    assert first is not None and again is not None and other is not None
    assert first.hash == again.hash != other.hash


def test_kernels_of_other_sizes_stay_as_often_as_all_places_in_the_mean() -> None:
    given = derivation(dense("resnext29", 10, (1, 32, 32), {"width": 1}))
    arm = GuidedWeights(pattern="p", kernels=(CROSS,), budget=Budget(metric="params", keep=0.4))
    mask = arm.derive(given).network.weight_mask
    assert mask is not None
    for size in (1, 3):
        kept = torch.cat([one.flatten() for one in mask.kept.values() if one.shape[-1] == size and one.numel() > 4000])
        assert float(kept.double().mean()) == pytest.approx(mask.density, abs=0.03)
