"""Geometric median: what the others replace goes first."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.document import NoOptions
from espalier.search.methods.geometric_median import GeometricMedian
from tests.search.methods.helpers import parent_of


def test_scores_are_sums_of_distances_to_all_other_filters() -> None:
    net = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Conv2d(5, 2, 1)).double()
    scores = GeometricMedian(NoOptions()).score(parent_of(net, (2, 6, 6)))["0"]
    filters = net[0].weight.detach().flatten(1)
    expected = [sum(float((one - other).norm()) for other in filters) for one in filters]
    assert torch.allclose(scores, torch.tensor(expected, dtype=torch.double))


def test_the_filter_in_the_middle_goes_before_a_small_one_at_the_edge() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Conv2d(3, 2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1, 1))
    scores = GeometricMedian(NoOptions()).score(parent_of(net))["0"]
    assert int(scores.argmin()) == 1, "by its norm, it would be the first"
