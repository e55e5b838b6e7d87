"""Running with other widths: what tracing was misled about shows there."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from espalier.models.channels.value import Value
from espalier.models.copies import on_meta
from espalier.models.errors import TraceError
from espalier.models.tracing import operations
from espalier.models.tracing.probe import images, resized
from espalier.models.tracing.trace import trace
from tests.models.helpers import same
from tests.models.networks import Net, Silent, conv


def test_a_rule_that_is_wrong_is_caught_by_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(operations.FUNCTIONS, "expand", lambda call: call.first[1])
    net = Net(lambda m, x: m.b(m.a(x).expand(-1, 8, -1, -1)), a=conv(3, 8), b=conv(8, 2))
    with pytest.raises(TraceError, match="with other widths than its own"):
        trace(net, (3, 8, 8))


def test_a_rule_that_is_wrong_about_sizes_is_caught_though_the_network_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(call: Any) -> Value:
        return Value((None, call.run.labels.new(8), None, None), zero=True)

    monkeypatch.setitem(operations.FUNCTIONS, "roll", wrong)
    net = Net(lambda m, x: torch.roll(m.a(x), 1, 1).sum(1, keepdim=True), a=conv(3, 8))
    with pytest.raises(TraceError, match=r"roll gives \(127, \d, 8, 8\), and not \[127, 8, 8, 8\]"):
        trace(net, (3, 8, 8))


def test_code_that_takes_another_way_with_other_widths_is_caught() -> None:
    """What it decides by cannot be seen: the numbers of a shape, multiplied in C."""

    def halfway(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        return m.b(y * 2 if y.shape.numel() > 127 * 7 * 64 else y)  # type: ignore[no-any-return]

    with pytest.raises(TraceError, match="it runs conv2d where it ran mul with its own widths"):
        trace(Net(halfway, a=conv(3, 8), b=conv(8, 2)), (3, 8, 8))

    def shorter(m: Any, x: Tensor) -> Tensor:
        y = m.b(m.a(x))
        return y if m.a(x).shape.numel() < 127 * 8 * 64 else y.sum(1)  # type: ignore[no-any-return]

    with pytest.raises(TraceError, match="it does not run sum as with its own widths"):
        trace(Net(shorter, a=conv(3, 8), b=conv(8, 2)), (3, 8, 8))


@pytest.mark.parametrize(
    "unseen",
    [
        lambda y: y * math.log(y.size(1)),
        lambda y: y * [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9][y.size(1)],
        lambda y: y / y.shape[1:].numel(),
        lambda y: y * math.gcd(y.size(1), 4),
    ],
)
def test_a_number_that_python_made_of_channels_unseen_is_seen_with_other_widths(unseen: Any) -> None:
    net = Net(lambda m, x: m.b(unseen(m.a(x))), a=conv(3, 8), b=conv(8, 2))
    with pytest.raises(TraceError, match=r"(mul|div) is told .* where it was told .* with its own widths"):
        trace(net, (3, 8, 8))


def test_a_number_of_a_module_that_is_used_in_two_ways_is_fixed_and_the_network_is_not_refused() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x).view(x.size(0), m.n, 8, 8)
        return m.b(sum(y for _ in range(m.n)))  # type: ignore[no-any-return]

    net = Net(forward, a=conv(3, 8), b=conv(8, 2))
    net.n = 8  # type: ignore[assignment]
    coupling = trace(net, (3, 8, 8))
    assert not coupling.groups
    assert "view has sizes that would not fit a cut network" in dict(coupling.kept)["a"]


def test_a_width_that_only_training_fixes_is_caught_by_the_probe() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.scale if m.training else m.a(x)), a=conv(3, 8), b=conv(8, 2))
    with pytest.raises(TraceError, match="does not train with other widths than its own"):
        trace(net, (3, 8, 8))


def test_a_way_that_training_may_take_is_tried() -> None:
    """As in the usual code of stochastic depth, but that the shortcut has channels which nothing cuts."""
    net = Net(lambda m, x: m.b(x if m.training and torch.rand(1).item() < 0.5 else m.a(x)), a=conv(3, 3), b=conv(3, 2))
    with pytest.raises(TraceError, match="does not train with other widths than its own: a convolution of 2 to 2"):
        trace(net, (3, 8, 8))


def test_training_that_takes_more_than_shapes_is_left_to_the_self_check() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * (2 if m.training and x.sum() > 0 else 1)), a=conv(3, 3), b=conv(3, 2))
    assert trace(net, (3, 8, 8)).widths == {"a": 3}


def test_code_that_asks_what_its_input_is_does_not_mislead_tracing() -> None:
    net = Net(lambda m, x: m.b(m.a(x) if isinstance(x, Tensor) else x), a=conv(3, 3), b=conv(3, 2))
    assert trace(net, (3, 8, 8)).widths == {"a": 3}


def test_what_switching_returns_does_not_matter() -> None:
    assert trace(Silent(3, 8, 1), (3, 8, 8)).output == (8, 8, 8)


def test_a_network_of_other_widths_keeps_the_first_of_what_has_values() -> None:
    net = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), conv(8, 2)).double()
    small = resized(net, trace(net, (3, 4, 4)), {"0": 3})
    assert torch.equal(small[0].weight, net[0].weight[:3])
    assert torch.equal(small[2].weight, net[2].weight[:, :3])
    assert small(torch.zeros(2, 3, 4, 4, dtype=torch.float64)).shape == (2, 2, 4, 4)


def test_a_network_of_shapes_stays_one() -> None:
    net = on_meta(nn.Sequential(conv(3, 8), conv(8, 2)))
    small = resized(net, trace(net, (3, 4, 4)), {"0": 3})
    assert all(tensor.is_meta for tensor in small.parameters())
    assert str(small[0]) == str(conv(3, 3))
    assert str(net[0]) == str(conv(3, 8))


def test_images_have_the_precision_of_the_network_and_no_memory() -> None:
    found = images(conv(3, 8).double(), (3, 4, 5), batch=2)
    assert (found.shape, found.dtype, found.is_meta) == ((2, 3, 4, 5), torch.float64, True)


def test_tracing_leaves_the_network_as_it_was() -> None:
    net = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8).eval(), conv(8, 2))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    words = str(net)
    trace(net, (3, 4, 4))
    assert str(net) == words
    assert [module.training for module in net.modules()] == [True, True, False, True]
    assert same(before, net.state_dict())
