"""Channel selection: passes on what its index names."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.config import ChannelMask, Selection, Slice
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from espalier.models.zoo.selection import ChannelSelection
from tests.models.networks import conv


def test_a_fresh_selection_passes_everything_on() -> None:
    x = torch.rand(2, 5, 3, 3, dtype=torch.float64)
    assert torch.equal(ChannelSelection(5)(x), x)


def test_a_selection_passes_on_what_it_names_in_its_order() -> None:
    selection, x = ChannelSelection(5), torch.rand(2, 5, dtype=torch.float64)
    selection.index = torch.tensor([4, 0])
    assert torch.equal(selection(x), x[:, [4, 0]])


def test_a_selection_stays_in_the_file_of_weights_and_is_nothing_to_train() -> None:
    assert [*ChannelSelection(3).state_dict()] == ["index"]
    assert not [*ChannelSelection(3).parameters()]


def test_a_stream_that_is_selected_from_stays_whole() -> None:
    net = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), ChannelSelection(8), conv(8, 2)).double()
    coupling = trace(net, (3, 4, 4))
    (group,) = coupling.groups
    assert group.selection == Selection(Slice("2.index", 0, "index"), "1.weight")
    assert group.slices == (Slice("2.index", 0, "index"), Slice("3.weight", 1, "in"))
    cut = prune(net, coupling, ChannelMask({group.name: torch.arange(8) % 2 == 1}))
    assert cut[0].out_channels == 8
    assert cut[2].index.tolist() == [1, 3, 5, 7]
