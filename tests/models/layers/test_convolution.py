"""Convolutions: plain, depthwise and grouped ones are traced, drawn, resized and written."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.copies import replace
from espalier.models.layers.draw import InitScheme
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.helpers import drawn, rebuilt, same
from tests.models.networks import conv


def test_a_depthwise_convolution_passes_its_channels_through() -> None:
    net = nn.Sequential(conv(3, 8), conv(8, 8, groups=8), conv(8, 4))
    coupling = trace(net, (3, 8, 8))
    (group,) = coupling.groups
    assert {s.tensor for s in group.slices} >= {"0.weight", "1.weight", "2.weight"}
    cut = prune(net, coupling, ChannelMask({"0": torch.arange(8) < 5}))
    assert (cut[1].groups, cut[1].in_channels, cut[1].out_channels) == (5, 5, 5)  # type: ignore[index, union-attr]


def test_a_grouped_convolution_stays_evenly_grouped() -> None:
    net = nn.Sequential(conv(3, 8), conv(8, 12, groups=4), conv(12, 4))
    coupling = trace(net, (3, 8, 8))
    inner, outer = coupling.groups
    assert (inner.width, outer.width) == (2, 3)
    prune(net, coupling, ChannelMask({"0": torch.tensor([True, False]), "1": torch.arange(3) > 0}))


def test_a_grouped_convolution_of_two_channels_a_group_is_no_depthwise_one() -> None:
    net = nn.Sequential(conv(3, 8), nn.Conv2d(8, 32, 1, groups=4), conv(32, 3))
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"0": 2, "1": 8}
    prune(net, coupling, ChannelMask({"0": torch.tensor([True, False]), "1": torch.arange(8) % 3 > 0}))


CONVOLUTIONS = [
    conv(3, 8),
    nn.Conv2d(4, 6, (3, 1), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False, padding_mode="reflect"),
    nn.Conv2d(8, 8, 3, padding="same", groups=8),
]


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=str)
def test_a_convolution_is_written_as_what_it_is(layer: nn.Module) -> None:
    assert rebuilt(layer).extra_repr() == layer.extra_repr()


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=str)
def test_a_convolution_is_drawn_by_seed(layer: nn.Module) -> None:
    assert same(drawn(layer, 1), drawn(layer, 1))
    assert not same(drawn(layer, 1), drawn(layer, 2))


@pytest.mark.parametrize(("scheme", "fan"), [("fan_out", 64 * 9), ("glorot", (64 + 32) * 9)])
def test_a_convolutions_weights_have_the_schemes_deviation(scheme: str, fan: int) -> None:
    state = drawn(conv(32, 64), 0, InitScheme(convolution=scheme))
    assert float(state["weight"].std()) == pytest.approx((2 / fan) ** 0.5, rel=0.03)
    assert not state["bias"].any()


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (conv(3, 8), (5, 2, 3, 3), "2, 5, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)"),
        (conv(8, 12, groups=4), (8, 1, 3, 3), "4, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=4"),
        (conv(8, 8, groups=8), (5, 1, 3, 3), "5, 5, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=5"),
        (conv(8, 16, groups=8), (6, 1, 3, 3), "3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=3"),
    ],
    ids=["plain", "grouped", "depthwise", "depthwise twice"],
)
def test_a_convolution_of_another_size_runs_and_prints_as_that(
    layer: nn.Conv2d, shape: tuple[int, ...], words: str
) -> None:
    layer = copy.deepcopy(layer).double()
    replace(layer, {"weight": torch.rand(shape).double(), "bias": torch.rand(shape[0]).double()})
    assert layer.extra_repr() == words
    assert layer(torch.rand(2, layer.in_channels, 4, 4).double()).shape == (2, shape[0], 4, 4)


def test_a_depthwise_convolution_of_one_channel_is_a_plain_one() -> None:
    layer = conv(1, 4)
    replace(layer, {"weight": torch.rand(3, 1, 3, 3), "bias": torch.rand(3)})
    assert (layer.groups, layer.in_channels, layer.out_channels) == (1, 1, 3)


def test_a_convolution_whose_weight_is_computed_is_left_as_it_is() -> None:
    layer = torch.nn.utils.parametrizations.spectral_norm(conv(3, 8))
    replace(layer, {"bias": torch.rand(8)})
    assert (layer.in_channels, layer.out_channels) == (3, 8)
