"""Functions that move channels: they are followed, or frozen where that would be guessing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.config import ChannelMask
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.helpers import case
from tests.models.networks import Forward, Net, conv


def test_channels_are_followed_where_they_lie_last() -> None:
    """As in ConvNeXt: linear layers on [batch, height, width, channels]; what the layer norm sees stays whole."""

    def forward(m: Any, x: Tensor) -> Tensor:
        y = torch.permute(m.stem(x), (0, 2, 3, 1))
        y = m.down(F.gelu(m.up(m.norm(y))))
        return m.out(y.permute(0, 3, 1, 2))  # type: ignore[no-any-return]

    net = Net(
        forward, stem=conv(3, 8), norm=nn.LayerNorm(8), up=nn.Linear(8, 32), down=nn.Linear(32, 6), out=conv(6, 2)
    )
    coupling = trace(net, (3, 4, 4))
    assert [group.layers for group in coupling.groups] == [("up", "down"), ("down", "out")]
    assert ("stem", "norm normalises over channels") in coupling.kept
    prune(net, coupling, ChannelMask({"up": torch.arange(32) < 9, "down": torch.arange(6) > 1}))


def unpacked(y: Tensor, squeezed: Callable[[Tensor], Tensor]) -> Tensor:
    b, c, _, _ = y.size()
    return y * squeezed(F.adaptive_avg_pool2d(y, 1).view(b, c)).view(b, c, 1, 1).expand_as(y)


@pytest.mark.parametrize(
    "scale",
    [
        lambda y, s: y * s(y.mean((2, 3))).view(y.size(0), y.size(1), 1, 1),
        unpacked,
        lambda y, s: y * s(y.mean((2, 3))).reshape((-1, y.shape[1], 1, 1)),
        lambda y, s: y * s(y.mean((2, 3))).view(y.shape[0], -1, 1, 1),
        lambda y, s: y * s(y.mean((2, 3))).unsqueeze(2).unsqueeze(-1),
        lambda y, s: y * torch.unsqueeze(torch.unsqueeze(s(y.mean((2, 3))), -1), -1),
        lambda y, s: y * s(y.view(y.size(0), y.size(1), -1).mean(2)).view(y.size(0), y.size(1), 1, 1),
        lambda y, s: (
            y * s(y.view(y.size(0), y.size(1), y.size(2) * y.size(3)).mean(2)).view(-1, y.size(1), 1, y.size(3) // 8)
        ),
    ],
)
def test_ways_to_write_squeeze_and_excitation(scale: Callable[[Tensor, Any], Tensor]) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        squeezed = lambda z: m.up(F.relu(m.down(z))).sigmoid()  # noqa: E731
        return m.b(scale(y, squeezed))  # type: ignore[no-any-return]

    net = Net(forward, a=conv(3, 8), down=nn.Linear(8, 4), up=nn.Linear(4, 8), b=conv(8, 2))
    coupling = trace(net, (3, 8, 8))
    assert [(group.name, group.width) for group in coupling.groups] == [("a", 8), ("down", 4)]
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0, "down": torch.arange(4) > 1}))


def test_option_a_shortcuts_couple_the_first_channels_of_the_next_stage() -> None:
    groups = case("resnet20").coupling.groups
    trunk = next(group for group in groups if group.name == "conv1")
    widened = [group for group in groups if group.name in ("blocks.3.conv2", "blocks.6.conv2")]
    assert {s.start for s in trunk.slices} == {0}
    assert [min(s.start for s in group.slices) for group in widened] == [trunk.width, 2 * trunk.width]


def test_zeros_may_make_up_for_another_activations_channels() -> None:
    """Option A as it is usually written: by a number, by the difference, on one side or on both."""

    def follow(m: Any, x: Tensor) -> Tensor:
        y, z = m.a(x), m.z(x)
        return m.c(z + F.pad(y, (0, 0, 0, 0, z.size(1) - y.size(1), 0)))  # type: ignore[no-any-return]

    def fixed(m: Any, x: Tensor) -> Tensor:
        return m.c(m.z(x) + F.pad(m.a(x), (0, 0, 0, 0, 4, 4)))  # type: ignore[no-any-return]

    def halves(m: Any, x: Tensor) -> Tensor:
        y, z = m.a(x), m.z(x)
        more = (z.size(1) - y.size(1)) // 2
        return m.c(z + F.pad(y, (0, 0, 0, 0, more, more)))  # type: ignore[no-any-return]

    for forward, widths in ((follow, [8, 8]), (fixed, [8]), (halves, [])):
        net = Net(forward, a=conv(3, 8), z=conv(3, 16), c=conv(16, 2))
        coupling = trace(net, (3, 8, 8))
        assert sorted(coupling.widths.values()) == widths
        prune(net, coupling, ChannelMask({name: torch.arange(8) % 3 > 0 for name in coupling.widths}))


@pytest.mark.parametrize(
    "index", [(..., None, None), (slice(None), slice(None), None, None), (slice(None), slice(0, 99))]
)
def test_an_index_that_leaves_the_channels_whole(index: tuple[object, ...]) -> None:
    net = Net(
        lambda m, x: m.b((y := m.a(x)) * (y.mean((2, 3)) if None in index else y)[index]), a=conv(3, 8), b=conv(8, 2)
    )
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"a": 8}
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0}))


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x).squeeze(2)),
        lambda m, x: m.b(m.a(x).squeeze()),
    ],
)
def test_dimensions_that_are_not_of_one_element_are_not_squeezed(forward: Forward) -> None:
    """As the network is written it runs, but with other sizes it would mean something else."""
    coupling = trace(Net(forward, a=conv(3, 8), b=conv(8, 2)), (3, 4, 4))
    assert ("a", "squeeze removes dimensions that are not named, or not of one element") in coupling.kept


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x).transpose(1, 3).transpose(-1, -3)),
        lambda m, x: m.b(m.a(x).permute(2, 1, 0, 3).permute((2, 1, 0, 3))),
        lambda m, x: m.b(m.a(x).unsqueeze(1).squeeze(1)),
        lambda m, x: m.b(m.a(x).mean(2, keepdim=True)),
        lambda m, x: m.b(m.a(x).amax(-1).unsqueeze(-1)),
        lambda m, x: m.b(m.a(x)[..., ::2]),
    ],
)
def test_channels_are_found_where_they_were_moved(forward: Forward) -> None:
    net = Net(forward, a=conv(3, 8), b=conv(8, 2)).double()
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"a": 8}
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0}))


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: m.b(F.pad(m.a(x), (0, 0, 0, 0, 0, -2))), "pad crops channels"),
        (
            lambda m, x: m.b(F.pad(m.a(x), (0, 0, 0, 0, 1, 1), value=1.0)),
            "pad pads channels with something else than zeros",
        ),
        (lambda m, x: m.b(m.a(x)[:, 2:]), "getitem takes some of the channels"),
        (lambda m, x: m.b(m.a(x).sum(0, keepdim=True).expand(x.size(0), 8, 4, 4)), "sum reduces over channels"),
    ],
)
def test_what_takes_or_mixes_channels_keeps_them(forward: Forward, reason: str) -> None:
    width = forward(nn.ModuleDict({"a": conv(3, 8), "b": nn.Identity()}), torch.zeros(2, 3, 4, 4)).shape[1]
    coupling = trace(Net(forward, a=conv(3, 8), b=conv(width, 2)), (3, 4, 4))
    assert ("a", reason) in coupling.kept
