"""Layers without tensors."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.layers import LAYERS
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.helpers import rebuilt
from tests.models.networks import Net, conv


@pytest.mark.parametrize(
    "layer",
    [
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ZeroPad2d(1),
        nn.ReflectionPad2d((1, 0, 2, 1)),
        nn.ReplicationPad2d(2),
    ],
    ids=str,
)
def test_layers_that_see_each_channel_by_itself(layer: nn.Module) -> None:
    net = nn.Sequential(conv(3, 8), layer, conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"0": 8}
    prune(net, coupling, ChannelMask({"0": torch.arange(8) % 3 > 0}))


LAYERS_WITHOUT_TENSORS = [
    nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False, divisor_override=2),
    nn.AvgPool2d((2, 3)),
    nn.Flatten(2, 3),
    nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True),
    nn.LPPool2d(2, 3, ceil_mode=True),
    nn.AdaptiveAvgPool2d((None, 2)),
    nn.AdaptiveMaxPool2d(2),
    nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.Upsample(size=(4, 5)),
    nn.UpsamplingBilinear2d(scale_factor=2),
    nn.UpsamplingNearest2d(size=4),
    nn.ZeroPad2d(1),
    nn.ConstantPad2d((1, 2, 0, 1), 0.5),
    nn.CircularPad2d(1),
    nn.ReflectionPad2d(1),
    nn.ReplicationPad2d(1),
    nn.ReLU(inplace=True),
    nn.ReLU6(),
    nn.LeakyReLU(0.2),
    nn.RReLU(0.2, 0.3),
    nn.ELU(0.5),
    nn.SELU(),
    nn.CELU(0.5),
    nn.GELU("tanh"),
    nn.SiLU(inplace=True),
    nn.Mish(),
    nn.Sigmoid(),
    nn.LogSigmoid(),
    nn.Tanh(),
    nn.Softplus(2, 3),
    nn.Softsign(),
    nn.Softshrink(0.3),
    nn.Hardshrink(0.3),
    nn.Tanhshrink(),
    nn.Threshold(0.1, 0.2),
    nn.Hardswish(),
    nn.Hardsigmoid(),
    nn.Hardtanh(-2, 2),
    nn.Identity(),
    nn.Dropout(0.3),
    nn.Dropout2d(0.2),
    nn.AlphaDropout(0.1),
]


@pytest.mark.parametrize("layer", LAYERS_WITHOUT_TENSORS, ids=str)
def test_a_layer_without_tensors_is_written_as_what_it_computes(layer: nn.Module) -> None:
    again = rebuilt(layer).eval()
    assert str(again) == str(layer)
    x = torch.randn(2, 3, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(x.clone()), copy.deepcopy(layer).eval()(x.clone()))


def test_every_kind_whose_source_is_not_what_it_prints_is_tried() -> None:
    known = {kind for kind, layer in LAYERS.items() if not layer.drawn}
    assert known <= {type(layer) for layer in LAYERS_WITHOUT_TENSORS}


def test_pooling_across_channels_keeps_them() -> None:
    net = Net(lambda m, x: m.b(m.pool(m.a(x).flatten(2))), a=conv(3, 8), b=nn.Linear(32, 2), pool=nn.MaxPool2d((1, 2)))
    assert ("a", "MaxPool2d pool works along the channels") in trace(net, (3, 8, 8)).kept
