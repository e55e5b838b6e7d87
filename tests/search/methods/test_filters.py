"""Methods of filters: any number for a filter makes one; the mean over layers, groups that none writes to left out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espalier.models.document import NoOptions
from espalier.search.methods.filters import FilterMethod
from tests.models.networks import Own
from tests.search.methods.helpers import parent_of


class First(FilterMethod[NoOptions]):
    """By their first weight."""

    Options = NoOptions

    def of_filters(self, filters: Tensor) -> Tensor:
        return filters[:, 0]


def test_a_number_for_a_filter_is_all_that_must_be_written() -> None:
    net = Own(lambda m, x: m.c(m.a(x) + m.b(x)), a=nn.Conv2d(1, 3, 1), b=nn.Conv2d(1, 3, 1), c=nn.Conv2d(3, 2, 1))
    parent, method = parent_of(net), First(NoOptions())
    (scores,) = method.score(parent).values()
    assert torch.allclose(scores, ((net.a.weight + net.b.weight) / 2).flatten().double())
    assert not scores.requires_grad
    assert [group.name for group in method.ranked(parent.network)] == [group.name for group in parent.network.groups]
    assert not First.finds_widths
    assert not First.has_own_parent()
