"""PReLU: cut with its channels, or one slope for all of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.helpers import drawn, rebuilt, same
from tests.models.networks import conv


@pytest.mark.parametrize("layer", [nn.PReLU(8), nn.PReLU()], ids=str)
def test_slopes_that_see_each_channel_by_itself(layer: nn.Module) -> None:
    net = nn.Sequential(conv(3, 8), layer, conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"0": 8}
    prune(net, coupling, ChannelMask({"0": torch.arange(8) % 3 > 0}))


def test_a_slope_for_each_channel_is_cut_and_one_for_all_is_not() -> None:
    for layer, left in ((nn.PReLU(8), 5), (nn.PReLU(), 1)):
        net = nn.Sequential(conv(3, 8), layer, conv(8, 2)).double()
        cut = prune(net, trace(net, (3, 8, 8)), ChannelMask({"0": torch.arange(8) < 5}))
        assert cut[1].num_parameters == left
        assert cut[1].weight.shape == (left,)
        assert cut[1].extra_repr() == f"num_parameters={left}"


@pytest.mark.parametrize("layer", [nn.PReLU(8, init=0.1), nn.PReLU(init=0.1), nn.PReLU(3)], ids=str)
def test_a_slope_is_written_with_what_it_begins_with(layer: nn.PReLU) -> None:
    again = rebuilt(layer)
    assert again.extra_repr() == layer.extra_repr()
    assert again.init == layer.init
    assert torch.equal(again.weight, layer.weight)


def test_a_slope_is_drawn_as_what_it_was_made_with() -> None:
    layer = nn.PReLU(4, init=0.1)
    layer.weight.data.fill_(3)
    assert drawn(layer, 1)["weight"].tolist() == [pytest.approx(0.1)] * 4
    assert same(drawn(layer, 1), drawn(layer, 2))
