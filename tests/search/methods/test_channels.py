"""What belongs to each channel, and means over layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.config import Slice
from espalier.search.methods.channels import Across, merged, over_layers, rows
from tests.models.networks import Own
from tests.search.methods.helpers import parent_of


def test_rows_are_what_a_tensor_has_of_each_channel() -> None:
    tensor = torch.arange(24.0).reshape(2, 6, 2)
    found = rows(tensor, Slice("w", 1, "out", start=2, repeat=2), 2)
    assert found.tolist() == [[*tensor[:, 2].flatten(), *tensor[:, 3].flatten()], [*tensor[:, 4].flatten(), *tensor[:, 5].flatten()]]  # fmt: skip


@pytest.mark.parametrize(
    ("across", "expected"), [("mean", [2, 2]), ("max", [3, 4]), ("sum", [4, 4]), ("first", [1, 4])]
)
def test_scores_of_several_layers_become_one(across: Across, expected: list[float]) -> None:
    assert merged([torch.tensor([1.0, 4.0]), torch.tensor([3.0, 0.0])], across).tolist() == expected


def test_a_channel_that_several_layers_write_to_has_their_mean() -> None:
    net = Own(lambda m, x: m.c(m.a(x) + m.b(x)), a=nn.Conv2d(1, 3, 1), b=nn.Conv2d(1, 3, 1), c=nn.Conv2d(3, 2, 1))
    (scores,) = over_layers(parent_of(net).network, "out", lambda filters: filters.sum(1)).values()
    assert torch.allclose(scores, ((net.a.weight + net.b.weight) / 2).flatten().double())
