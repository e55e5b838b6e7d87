"""Batch-norm scales without a penalty: slimming's scores, on an ordinary parent."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.search.errors import SpecError
from espalier.search.methods.batch_norm_scale import BatchNormScale
from espalier.search.methods.slimming import ScaleOptions, Slimming, SlimmingOptions
from espalier.search.recipe import Recipe
from tests.search.methods.helpers import parent_of


def test_it_ranks_as_slimming_does_and_trains_as_nobody_asked() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([0.5, -2, 1, 0.1]))
    parent, method = parent_of(net), BatchNormScale(ScaleOptions())
    method.prepare(parent.network)
    assert method.score(parent)["0"].tolist() == pytest.approx([0.5, 2, 1, 0.1])
    assert torch.equal(method.score(parent)["0"], Slimming(SlimmingOptions()).score(parent)["0"])
    assert method.regularizer(parent.network, Recipe(epochs=1, batch_size=1, lr=0.1), 10) is None


def test_a_network_without_batch_norms_is_refused() -> None:
    network = parent_of(nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1))).network
    with pytest.raises(SpecError, match="batch_norm_scale ranks channels by batch-norm scales, and none of the 1"):
        BatchNormScale(ScaleOptions()).ranked(network)
