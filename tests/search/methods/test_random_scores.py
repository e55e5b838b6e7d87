"""Random scores: drawn, whatever the network."""

from __future__ import annotations

import torch
from torch import nn

from espalier.search.methods.random_scores import RandomScores, RandomScoresOptions
from tests.search.methods.helpers import parent_of


def test_they_depend_on_their_draw_alone() -> None:
    one, other = (parent_of(nn.Sequential(nn.Conv2d(1, 8, 1), nn.Conv2d(8, 2, 1))) for _ in range(2))
    first, again, second = (
        RandomScores(RandomScoresOptions(draw=draw)).score(parent)["0"]
        for draw, parent in ((0, one), (0, other), (1, one))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert ((first >= 0) & (first < 1)).all()
