"""MobileNets: depthwise convolutions take the channels of what stands before them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from espalier.models.tracing.trace import trace
from espalier.models.zoo.mobilenet import InvertedResidual, MobileNetV1, MobileNetV2

KINDS = pytest.mark.parametrize("kind", [MobileNetV1, MobileNetV2])


@KINDS
def test_images_of_any_size_are_taken(kind: Any) -> None:
    net = kind(4, 1, width=0.125).double().eval()
    for edge in (16, 33):
        assert net(torch.zeros(2, 1, edge, edge, dtype=torch.float64)).shape == (2, 4)


@KINDS
def test_every_other_convolution_is_depthwise_or_mixes_channels_alone(kind: Any) -> None:
    first, *rest = (module for module in kind(4, 3, width=0.125).modules() if isinstance(module, nn.Conv2d))
    assert first.kernel_size == (3, 3)
    assert all((layer.groups == layer.in_channels) == (layer.kernel_size == (3, 3)) for layer in rest)


@KINDS
def test_depthwise_convolutions_are_cut_with_what_they_read(kind: Any) -> None:
    net = kind(4, 3, width=0.125)
    coupling = trace(net, (3, 16, 16))
    assert [reason for _, reason in coupling.kept] == ["network output"]
    depthwise = {name for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and m.groups > 1}
    read = {layer for group in coupling.groups for layer in group.layers if group.layers[0] != layer}
    assert depthwise <= read


def test_a_block_has_a_shortcut_where_its_shape_stays() -> None:
    assert InvertedResidual(8, 8, 2, 1).shortcut
    assert not InvertedResidual(8, 8, 2, 2).shortcut
    assert not InvertedResidual(8, 6, 2, 1).shortcut


def test_a_shortcut_adds_what_goes_in() -> None:
    block = InvertedResidual(8, 8, 2, 1).double().eval()
    block.layers[-1].weight.data.zero_()
    x = torch.rand(2, 8, 4, 4, dtype=torch.float64)
    assert torch.equal(block(x), x)


def test_a_block_that_does_not_expand_begins_with_its_depthwise_convolution() -> None:
    assert InvertedResidual(8, 8, 1, 1).layers[0].groups == 8
    assert InvertedResidual(8, 8, 2, 1).layers[0].groups == 1
