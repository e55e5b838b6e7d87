"""Sizes in a network's code: a number of channels that is computed with keeps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import fx

from espalier.models.channels.labels import Channels
from espalier.models.channels.sizes import RANK, counted, sizes, stays
from espalier.models.config import ChannelMask
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.networks import Forward, Net, conv


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.c(torch.cat([m.a(x) / (z := m.z(x)).size(1), z], 1)),
        lambda m, x: m.c(torch.cat([m.a(x) * (z := m.z(x)).size(1), z], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), F.leaky_relu(z := m.z(x), 1 / z.size(1))], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), F.adaptive_avg_pool2d(z := m.z(x), z.size(1))], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), (z := m.z(x))[:, :, : z.size(1)]], 1)),
        lambda m, x: m.c(torch.cat([(y := m.a(x)), y.new_zeros(y.size(0), m.z(x).shape[1], 8, 8)], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), m.one(x).expand(-1, m.z(x).size(1), -1, -1)], 1)),
        lambda m, x: m.c(torch.cat([m.a(x), F.group_norm(m.few(x), m.z(x).size(1) // 8)], 1)),
    ],
)
def test_channels_stay_where_their_number_is_computed_with(forward: Forward) -> None:
    layers = {"a": conv(3, 8), "z": conv(3, 8), "c": conv(16, 2), "one": conv(3, 1)}
    net = Net(forward, **layers)
    net.few = conv(3, 8)
    coupling = trace(net, (3, 8, 8))
    assert "z" not in coupling.widths
    cut = prune(net, coupling, ChannelMask({name: torch.arange(8) % 3 > 0 for name in coupling.widths}))
    assert cut(torch.zeros(2, 3, 8, 8)).shape == (2, 2, 8, 8)


def test_padding_space_by_a_number_of_channels_keeps_them() -> None:
    net = Net(lambda m, x: m.b(F.pad(y := m.a(x), (0, y.size(1) - 8))), a=conv(3, 8), b=conv(8, 2))
    assert not trace(net, (3, 8, 8)).groups


def nodes_of(forward: Callable[[Any], Any]) -> tuple[dict[fx.Node, Channels], Any]:
    """What is known of the input of a function, whose channels are the second of four dimensions, and its result."""
    graph = fx.Tracer().trace(Net(lambda _, x: forward(x)))
    source = next(node for node in graph.nodes if node.op == "placeholder")
    source.meta[RANK] = 4
    result = next(node for node in graph.nodes if node.op == "output").args[0]
    return {source: Channels(1, [0, 1, 2])}, result


@pytest.mark.parametrize(
    ("forward", "dims"),
    [
        (lambda x: x.size(1), (1,)),
        (lambda x: x.size(dim=-1), (3,)),
        (lambda x: x.shape[2:], (2, 3)),
        (lambda x: x.shape[1:][0], (1,)),
        (lambda x: x.size(), (0, 1, 2, 3)),
        (lambda x: x.shape, (0, 1, 2, 3)),
    ],
)
def test_a_size_is_known_by_its_dimensions(forward: Callable[[Any], Any], dims: tuple[int, ...]) -> None:
    known, result = nodes_of(forward)
    found = sizes(result)
    assert found is not None
    assert found.source in known
    assert found.dims == dims


@pytest.mark.parametrize("forward", [lambda x: x.size(1) + 1, lambda x: x.shape[x.dim() - 1], lambda x: x, lambda _: 3])
def test_what_is_no_size_is_none(forward: Callable[[Any], Any]) -> None:
    assert sizes(nodes_of(forward)[1]) is None


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (lambda x: x.size(2), True),
        (lambda x: x.size(1), False),
        (lambda x: x.size(2) * x.size(3) // 2, True),
        (lambda x: x.size(2) * x.size(1), False),
        (lambda x: x.shape[2:], True),
        (lambda x: x.shape, False),
        (lambda x: x.size(2) ** 2, False),
    ],
)
def test_a_number_stays_where_no_channels_lie(forward: Callable[[Any], Any], expected: bool) -> None:
    known, result = nodes_of(forward)
    assert stays(result, known) is expected


@pytest.mark.parametrize(
    ("forward", "count"),
    [
        (lambda x: torch.zeros(x.size(1)), 1),
        (lambda x: torch.zeros(x.size(2)), 0),
        (lambda x: torch.zeros(x.size(1) * 2 - 1), 1),
        (lambda x: torch.zeros(3, dtype=x.dtype), 0),
        (lambda x: torch.zeros(x.numel()), 1),
        (lambda x: torch.relu(x), 0),
    ],
)
def test_channels_whose_number_is_used_are_counted(forward: Callable[[Any], Any], count: int) -> None:
    known, result = nodes_of(forward)
    assert len({id(channels) for channels in counted(result, known)}) == count
