"""Functions that move channels: they are followed, or frozen where that would be guessing."""

from __future__ import annotations

import math
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
from tests.models.tracing.examples import found, kept


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
    assert ("stem", "LayerNorm norm normalises over channels") in coupling.kept
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


@pytest.mark.parametrize("squeeze", [lambda y: y.squeeze(1), lambda y: y.squeeze(), lambda y: y.squeeze((1, 2))])
def test_channels_that_would_be_squeezed_if_one_was_left_stay(squeeze: Callable[[Tensor], Tensor]) -> None:
    assert "squeeze removes dimensions that are not named" in kept(lambda m, x: m.b(squeeze(m.a(x))))


def test_squeezing_what_is_no_matter_of_channels_is_no_matter() -> None:
    assert found(lambda m, x: m.b(m.a(x).squeeze(2))).widths == {"a": 8}


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
        (lambda m, x: m.b(m.a(x).view(x.size(0), 8, 8, 8)), "view has sizes that would not fit"),
        (lambda m, x: m.b((lambda y: y.view(-1, y.size(2), 8, 8))(m.a(x))), "view has sizes that would not fit"),
        (lambda m, x: m.b(m.a(x).expand(-1, 8, -1, -1)), "expand has sizes that would not fit"),
        (lambda m, x: m.b(m.a(x).transpose(1, 2).flatten(1, 2).unflatten(1, (8, 8))), "unflatten has sizes that would"),
        (lambda m, x: m.b(F.pad(m.a(x), (0, 0, 0, 0, 0, -2))), "pad crops channels"),
        (
            lambda m, x: m.b(F.pad(m.a(x), (0, 0, 0, 0, 1, 1), value=1.0)),
            "pad pads channels with something else than zeros",
        ),
    ],
)
def test_what_takes_or_mixes_channels_keeps_them(forward: Forward, reason: str) -> None:
    width = forward(nn.ModuleDict({"a": conv(3, 8), "b": nn.Identity()}), torch.zeros(2, 3, 8, 8)).shape[1]
    assert kept(forward, b=conv(width, 2)).startswith(f"{reason}")


def test_the_same_places_of_equal_parts_are_coupled() -> None:
    """As in a channel shuffle that is written out (Zhang et al. 2018)."""

    def shuffle(m: Any, x: Tensor) -> Tensor:
        b, c, h, w = (y := m.a(x)).shape
        return m.b(y.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w))  # type: ignore[no-any-return]

    (group,) = found(shuffle).groups
    assert group.width == 4
    assert [(s.start, s.repeat) for s in group.slices if s.tensor == "a.weight"] == [(0, 1), (4, 1)]
    assert [(s.start, s.repeat) for s in group.slices if s.tensor == "b.weight"] == [(0, 2)]


def test_channels_are_cut_in_blocks_where_code_makes_blocks_of_them() -> None:
    blocks = found(lambda m, x: m.b((y := m.a(x)).view(y.size(0), -1, 4, 8, 8).sum(2)), b=conv(2, 2))
    assert blocks.widths == {"a": 2}


def test_a_shape_with_fixed_parts_of_a_table_leaves_the_rest_free() -> None:
    def tabled(m: Any, x: Tensor) -> Any:
        table = torch.sigmoid(m.t).view(4, -1, 1, 1)
        return m.b(m.a(x) * table[0] + table[1])

    (group,) = found(tabled, t=nn.Parameter(torch.rand(4, 8))).groups
    assert {part.tensor for part in group.slices} == {"a.weight", "a.bias", "t", "b.weight"}


def test_numbers_that_python_made_of_sizes_are_followed() -> None:
    """PyTorch's own lesson on pruning flattens like this."""
    flat = found(lambda m, x: m.b((y := m.a(x)).view(-1, int(y.nelement() / y.shape[0]))), b=nn.Linear(512, 2))
    assert flat.widths == {"a": 8}
    assert found(lambda m, x: m.b((y := m.a(x)).view(-1, math.prod(y.size()[1:]))), b=nn.Linear(512, 2)).widths
    assert "the number of these channels is computed with" in kept(
        lambda m, x: m.b((y := m.a(x)) * int(y.nelement() / y.shape[0])), b=conv(8, 2)
    )
