"""SNIP: sensitivities against a numerical derivative, and a network that is left as it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.search.methods.snip import Snip, SnipOptions
from tests.search.methods.helpers import TASK, parent_of


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    ).double()


def test_scores_are_what_a_small_change_of_each_weight_does() -> None:
    parent = parent_of(small())
    scores = Snip(SnipOptions(batches=2, batch_size=4)).score(parent)["0"]
    batches = [batch for batch, _ in zip(parent.batches(4), range(2), strict=False)]
    expected = torch.zeros(3, dtype=torch.double)
    for channel in range(3):
        for element in range(9):
            step, losses = 1e-5, []
            for sign in (1, -1):
                net = small().train()
                net[0].weight.data[channel].view(-1)[element] += sign * step  # type: ignore[index,union-attr,operator]
                losses.append(sum(TASK.loss(net, batch).item() for batch in batches))
            slope = (losses[0] - losses[1]) / (2 * step)
            expected[channel] += abs(slope * small()[0].weight[channel].view(-1)[element].item())  # type: ignore[index]
    assert scores.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_batch_norms_remember_nothing_of_it() -> None:
    net = small().train()
    parent = parent_of(net)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    Snip(SnipOptions()).score(parent)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert net.training


def test_the_same_again_though_units_are_dropped_in_training() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    first, again = (Snip(SnipOptions()).score(parent_of(net))["0"] for _ in range(2))
    assert torch.equal(first, again)
    state = torch.get_rng_state()
    Snip(SnipOptions()).score(parent_of(net))
    assert torch.equal(torch.get_rng_state(), state)
