"""VGG: so many layers, halved between stages, with a batch norm or a bias."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.zoo.vgg import STAGES, VGG


@pytest.mark.parametrize("depth", STAGES)
def test_a_vgg_has_as_many_layers_as_its_name_says(depth: int) -> None:
    """Two of the paper's three linear layers are gone."""
    net = VGG(depth, 10, 3, width=0.125)
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) == depth - 3
    assert sum(isinstance(module, nn.MaxPool2d) for module in net.modules()) == 4


def test_a_vgg_takes_images_of_16_pixels_and_more_and_any_channels() -> None:
    net = VGG(11, 4, 1, width=0.125).double().eval()
    for edge in (16, 33):
        assert net(torch.zeros(2, 1, edge, edge, dtype=torch.float64)).shape == (2, 4)
    with pytest.raises(RuntimeError):
        net(torch.zeros(2, 1, 15, 15, dtype=torch.float64))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_convolutions_have_a_batch_norm_or_a_bias(batch_norm: bool) -> None:
    net = VGG(11, 4, 3, width=0.125, batch_norm=batch_norm)
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) == batch_norm
    assert all((module.bias is None) == batch_norm for module in net.modules() if isinstance(module, nn.Conv2d))


def test_a_width_scales_every_layer_and_none_vanishes() -> None:
    outputs = [m.out_channels for m in VGG(11, 4, 3, width=0.5).modules() if isinstance(m, nn.Conv2d)]
    assert outputs == [32, 64, 128, 128, 256, 256, 256, 256]
    assert {m.out_channels for m in VGG(11, 4, 3, width=0.001).modules() if isinstance(m, nn.Conv2d)} == {1}
