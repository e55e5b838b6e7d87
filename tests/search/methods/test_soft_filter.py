"""Soft filter pruning: what is small is set to zero after every epoch, and may grow again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.search.datasets import Data
from espalier.search.methods.base import Parent
from espalier.search.methods.soft_filter import SoftFilter, SoftFilterOptions
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.training.loop import train
from tests.models.networks import Own
from tests.search.methods.helpers import TASK, parent_of

RECIPE = Recipe(epochs=2, batch_size=64, lr=0.05, augment=())


def zeroing(parent: Parent, keep: float) -> Regularizer:
    return SoftFilter(SoftFilterOptions(keep=keep)).regularizer(parent.network, RECIPE, 1)


def test_the_filters_with_the_smallest_norms_are_set_to_zero_and_no_others() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 2), nn.Conv2d(4, 2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([3.0, -1, 4, 2]).view(4, 1, 1, 1).expand(4, 1, 2, 2))
    before = net[1].weight.clone()
    zeroing(parent_of(net), 0.5).after_epoch(net)
    assert net[0].weight[:, 0, 0, 0].tolist() == [3, 0, 4, 0]
    assert torch.equal(net[1].weight, before), "no channel of the output is in a group"


@pytest.mark.parametrize(("keep", "zeros"), [(1.0, 0), (0.9, 1), (0.7, 3), (0.01, 9)])
def test_so_many_as_the_papers_code_sets_to_zero(keep: float, zeros: int) -> None:
    """Of ten filters: int(10 * (1 - keep))."""
    net = nn.Sequential(nn.Conv2d(1, 10, 2), nn.Conv2d(10, 2, 1))
    zeroing(parent_of(net), keep).after_epoch(net)
    assert int((net[0].weight.flatten(1).abs().sum(1) == 0).sum()) == zeros


def test_layers_that_write_to_one_channel_lose_its_filter_together() -> None:
    net = Own(lambda m, x: m.c(m.a(x) + m.b(x)), a=nn.Conv2d(1, 3, 1), b=nn.Conv2d(1, 3, 1), c=nn.Conv2d(3, 2, 1))
    with torch.no_grad():
        net.a.weight.copy_(torch.tensor([1.0, 5, 3]).view(3, 1, 1, 1))
        net.b.weight.copy_(torch.tensor([9.0, 2, 3]).view(3, 1, 1, 1))
    zeroing(parent_of(net), 0.6).after_epoch(net)
    assert net.a.weight.flatten().tolist() == [1, 5, 0]
    assert net.b.weight.flatten().tolist() == [9, 2, 0]


def test_what_was_set_to_zero_grows_again_and_the_trained_network_has_its_zeros(digits: Data) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10))
    parent = parent_of(net, digits.shape, 10)
    method = SoftFilter(SoftFilterOptions(keep=0.5))
    seen: list[torch.Tensor] = []

    class Watched(Regularizer):
        inner = method.regularizer(parent.network, RECIPE, 1)

        def after_epoch(self, net: nn.Module) -> None:
            seen.append(net[0].weight.flatten(1).norm(dim=1).clone())  # type: ignore[index]
            self.inner.after_epoch(net)

    train(net, TASK, digits, RECIPE, 0, Watched())
    assert (seen[1] > 0).all(), "all had grown again when the second epoch ended"
    scores = method.score(parent)["0"]
    assert int((scores == 0).sum()) == 4
    assert method.select(parent, scores={"0": scores}, widths={"0": 4}).kept["0"].tolist() == (scores > 0).tolist()
