"""Rules that layers and functions share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.config import Slice
from espalier.models.tracing.trace import trace
from tests.models.networks import Forward, Net, conv


def test_a_flatten_gives_each_channel_a_block_of_columns() -> None:
    net = nn.Sequential(conv(3, 6), nn.Flatten(), nn.Linear(6 * 16, 10))
    (group,) = trace(net, (3, 4, 4)).groups
    assert Slice("2.weight", 1, "in", 0, 16) in group.slices


@pytest.mark.parametrize("flatten", [lambda x: x.view(x.size(0), -1), lambda x: torch.flatten(x, 1)])
def test_other_ways_to_flatten(flatten: Callable[[Tensor], Tensor]) -> None:
    net = Net(lambda m, x: m.f(flatten(m.a(x))), a=conv(3, 6), f=nn.Linear(6 * 16, 10))
    assert len(trace(net, (3, 4, 4)).groups) == 1


def kept(forward: Forward, **layers: nn.Module) -> dict[str, str]:
    """Why the layers of a network stay dense."""
    return dict(trace(Net(forward, **layers), (3, 4, 4)).kept)


def test_a_flatten_behind_the_channels_leaves_them_where_they_are() -> None:
    net = Net(lambda m, x: m.b(m.a(x).flatten(2).mean(2)), a=conv(3, 6), b=nn.Linear(6, 2))
    assert trace(net, (3, 4, 4)).widths == {"a": 6}


def test_a_flatten_before_the_channels_moves_them() -> None:
    net = Net(lambda m, x: m.b(m.a(x).permute(0, 2, 3, 1).flatten(1, 2)).mean(1), a=conv(3, 6), b=nn.Linear(6, 2))
    assert trace(net, (3, 4, 4)).widths == {"a": 6}


def test_a_flatten_that_mixes_channels_with_what_lies_before_them_keeps_them() -> None:
    reasons = kept(lambda m, x: m.b(m.a(x).transpose(1, 2).flatten(1, 2)).mean(1), a=conv(3, 6), b=nn.Linear(4, 2))
    assert reasons["a"] == "flatten flattens what lies before the channels into them"


def test_an_elementwise_function_of_several_tensors_is_not_understood() -> None:
    reasons = kept(lambda m, x: m.b(torch.clamp(m.a(x), m.a(x) - 1)), a=conv(3, 6), b=conv(6, 2))
    assert reasons["a"] == "clamp takes more than one tensor"


def test_statistics_over_channels_keep_the_scales_that_they_are_multiplied_with_too() -> None:
    net = Net(
        lambda m, x: m.b(F.layer_norm(m.a(x).permute(0, 2, 3, 1), (8,), m.vector).permute(0, 3, 1, 2)),
        a=conv(3, 8), b=conv(8, 2), vector=nn.Parameter(torch.ones(8)),
    )  # fmt: skip
    coupling = trace(net, (3, 4, 4))
    assert not coupling.groups
    assert ("a", "layer_norm normalises over channels") in coupling.kept
