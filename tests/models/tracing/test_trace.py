"""Tracing whole networks: couplings that are known by hand, and networks that are refused with the reason."""

from __future__ import annotations

import threading

import pytest
from torch import Tensor, nn

from espalier.models.config import Slice
from espalier.models.errors import ArchitectureError, TraceError
from espalier.models.tracing.trace import trace
from tests.models.networks import Net, Put, Refusing, Take, WithSkip, conv


def test_a_chain_couples_producer_norm_and_consumer() -> None:
    net = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 4))
    (group,) = trace(net, (3, 8, 8)).groups
    assert (group.name, group.width, group.layers) == ("0", 8, ("0", "1", "3"))
    assert set(group.slices) == {
        Slice("0.weight", 0, "out"), Slice("0.bias", 0, "shift"), Slice("1.weight", 0, "scale"), Slice("1.bias", 0, "shift"),
        Slice("1.running_mean", 0, "statistic"), Slice("1.running_var", 0, "statistic"), Slice("3.weight", 1, "in"),
    }  # fmt: skip


def test_a_layer_used_twice_couples_both_uses() -> None:
    net = Net(lambda m, x: m.c(m.b(m.b(m.a(x)))), a=conv(3, 8), b=conv(8, 8), c=conv(8, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert {(s.tensor, s.dim) for s in group.slices} >= {("b.weight", 0), ("b.weight", 1)}


def test_layers_without_shapes_are_named() -> None:
    with pytest.raises(ArchitectureError, match=r"shape of 0.weight is not known before it has run once"):
        trace(nn.Sequential(nn.LazyConv2d(8, 3), conv(8, 2)), (3, 8, 8))


def test_networks_of_other_precisions_are_traced() -> None:
    net = nn.Sequential(conv(3, 8), nn.Softmax(1), conv(8, 8), conv(8, 3)).double()
    assert trace(net, (3, 8, 8)).widths == {"2": 8}


def test_control_flow_that_depends_on_data_is_refused() -> None:
    net = Net(lambda m, x: m.a(x) if x.sum() > 0 else m.a(-x), a=conv(3, 8))
    with pytest.raises(
        TraceError, match=r"decides by the numbers in its activations in .*<lambda>, line \d+ \(net = Net\(lambda m, x"
    ):
        trace(net, (3, 8, 8))


def test_an_input_the_network_cannot_take_is_named_with_the_place() -> None:
    net = nn.Sequential(conv(3, 8), nn.MaxPool2d(4), nn.MaxPool2d(4))
    with pytest.raises(ArchitectureError, match=r"input of shape \(3, 8, 8\) at 2"):
        trace(net, (3, 8, 8))


def test_a_network_that_cannot_be_switched_or_copied_is_refused_with_the_reason() -> None:
    with pytest.raises(ArchitectureError, match="cannot be put into training: merged for good"):
        trace(nn.Sequential(conv(3, 8), Refusing(8, 2, 1)), (3, 8, 8))
    locked = nn.Sequential(conv(3, 8), conv(8, 2))
    locked.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(ArchitectureError, match=r"holds what cannot be copied: cannot pickle '_thread\.lock'"):
        trace(locked, (3, 8, 8))


def test_layers_may_share_a_place_to_leave_things() -> None:
    cache: dict[str, Tensor] = {}
    net = nn.Sequential(conv(3, 8), Put(cache), conv(8, 8), Take(cache), conv(8, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert group.layers == ("0", "2", "4")


def test_a_network_that_takes_more_than_images_is_refused() -> None:
    with pytest.raises(
        TraceError, match=r"WithSkip\.forward needs skip besides the images; wrap it .* or give defaults"
    ):
        trace(WithSkip(), (3, 8, 8))


def test_the_shape_of_what_it_gives_is_that_for_one_image() -> None:
    coupling = trace(nn.Sequential(conv(3, 8), nn.Flatten(), nn.Linear(8 * 16, 5)), (3, 4, 4))
    assert (coupling.input, coupling.output) == ((3, 4, 4), (5,))


def test_tracing_the_same_network_again_finds_the_same() -> None:
    net = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), conv(8, 2))
    assert trace(net, (3, 8, 8)) == trace(net, (3, 8, 8))
