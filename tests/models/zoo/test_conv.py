"""Conv-2, Conv-4 and Conv-6: pairs of convolutions, then two hidden linear layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.tracing.trace import trace
from espalier.models.zoo.conv import Conv


@pytest.mark.parametrize("depth", [2, 4, 6])
def test_a_network_has_as_many_convolutions_as_its_name_says(depth: int) -> None:
    net = Conv(depth, 10, (3, 32, 32), width=0.125)
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) == depth
    assert sum(isinstance(module, nn.MaxPool2d) for module in net.modules()) == depth // 2
    assert sum(isinstance(module, nn.Linear) for module in net.modules()) == 3


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 19, 9)])
def test_the_first_linear_layer_fits_the_images(shape: tuple[int, int, int]) -> None:
    net = Conv(6, 4, shape, width=0.125).double()
    assert net(torch.zeros(2, *shape, dtype=torch.float64)).shape == (2, 4)


def test_every_hidden_layer_can_be_pruned() -> None:
    coupling = trace(Conv(4, 4, (3, 16, 16), width=0.125), (3, 16, 16))
    assert [group.layers[0] for group in coupling.groups] == [
        "features.0", "features.2", "features.5", "features.7", "hidden.0", "hidden.2",
    ]  # fmt: skip
    assert [reason for _, reason in coupling.kept] == ["network output"]
