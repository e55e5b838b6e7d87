"""L1-norm pruning: sums of absolute weights, at widths that are given."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.document import NoOptions
from espalier.search.methods.l1_norm import L1Norm
from tests.search.methods.helpers import parent_of


def test_filters_are_ranked_by_their_sum_of_absolute_weights() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 2), nn.Conv2d(3, 2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -1, 1, -1], [0, 0, -5, 0], [0.5, 0.5, 0, 0]]).view(3, 1, 2, 2))
    parent = parent_of(net)
    method = L1Norm(NoOptions())
    scores = method.score(parent)
    assert scores["0"].tolist() == [4, 5, 1]
    assert method.select(parent, scores, {"0": 2}).kept["0"].tolist() == [True, True, False]


def test_it_is_given_its_widths() -> None:
    assert not L1Norm.finds_widths
