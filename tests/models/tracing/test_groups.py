"""From labels to groups: names, paths, stages, and layers that stay dense."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from espalier.models.config import Slice
from espalier.models.self_check import randomise
from espalier.models.tracing.trace import trace
from tests.models.helpers import case
from tests.models.networks import Net, Paired, Taking, conv
from tests.models.tracing.examples import check


def test_channels_that_live_or_die_together_are_named_as_such() -> None:
    """Two channels that a grouped convolution ties to each other cannot be thinned, and it is said why."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1, groups=2), nn.Conv2d(2, 2, 1, groups=2), conv(2, 3))
    coupling = trace(net, (3, 8, 8))
    assert [group.name for group in coupling.groups] == ["0"]
    assert ("1", "its channels can only be kept or cut all together") in coupling.kept


def test_stages_are_resolutions() -> None:
    groups = case("vgg16").coupling.groups
    assert [group.stage for group in groups] == [0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]


def test_groups_come_in_the_order_of_the_forward_pass_and_are_named_by_their_first_layer() -> None:
    net = Net(lambda m, x: m.c(m.a(m.b(x))), c=conv(6, 2), a=conv(8, 6), b=conv(3, 8))
    assert [group.name for group in trace(net, (3, 4, 4)).groups] == ["b", "a"]


def test_several_groups_of_one_layer_are_numbered() -> None:
    """The wide layer's channels are read in two parts."""
    net = Net(
        lambda m, x: m.c(m.a(x) + torch.cat([m.b(x), m.d(x)], 1)),
        a=conv(3, 8), b=conv(3, 3), d=conv(3, 5), c=conv(8, 2),
    )  # fmt: skip
    coupling = trace(net, (3, 4, 4))
    assert coupling.widths == {"a": 3, "a:1": 5}
    first, second = coupling.groups
    assert Slice("a.weight", 0, "out", 0) in first.slices
    assert Slice("a.weight", 0, "out", 3) in second.slices


def test_a_layer_of_one_channel_has_no_group() -> None:
    coupling = trace(nn.Sequential(conv(3, 1), conv(1, 2)), (3, 4, 4))
    assert not coupling.groups
    assert coupling.kept[0] == ("0", "its channels can only be kept or cut all together")


def test_a_group_knows_how_many_channels_always_stay() -> None:
    (group,) = trace(nn.Sequential(conv(3, 25), conv(25, 2)), (3, 4, 4)).groups
    assert group.minimum_width == 3


@pytest.mark.parametrize(
    ("net", "shape", "layer", "words"),
    [
        (nn.Sequential(nn.Flatten(2), nn.LSTM(64, 8), Taking(0)), (3, 8, 8), "1", "LSTM 1 is not understood"),
        (nn.Sequential(nn.Flatten(), Paired(nn.Bilinear(192, 192, 8)), nn.Linear(8, 2)), (3, 8, 8), "1.pair",
         "Bilinear 1.pair is not understood"),
    ],
)  # fmt: skip
def test_a_layer_that_is_not_understood_is_among_those_that_stay(
    net: nn.Module, shape: Any, layer: str, words: str
) -> None:
    coupling = trace(net, shape)
    assert coupling.groups == ()
    assert (layer, words) in coupling.kept


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Sequential(nn.ConvTranspose2d(8, 16, 4), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4)), (8, 4, 4)),
        (nn.Sequential(nn.Conv1d(1, 16, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 5)),
         (1, 64)),
        (nn.Sequential(nn.Conv3d(1, 16, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(16, 2)), (1, 8, 8, 8)),
        (nn.Sequential(weight_norm(nn.Conv2d(3, 16, 3)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)),
         (3, 8, 8)),
    ],
)  # fmt: skip
def test_what_was_once_silently_left_out_is_cut_exactly(net: nn.Module, shape: Any) -> None:
    """Generators, sequences, volumes and weights that are computed."""
    randomise(net.double(), torch.Generator().manual_seed(0))
    coupling = trace(net, shape)
    assert [group.width for group in coupling.groups] == [16]
    check(net.eval(), coupling)
