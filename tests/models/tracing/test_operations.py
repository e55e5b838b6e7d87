"""The list of functions: what is on it leaves channels prunable, what is not freezes them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

from espalier.models.channels.rules import elementwise
from espalier.models.config import ChannelMask
from espalier.models.surgery import prune
from espalier.models.tracing.operations import FUNCTIONS, METHODS, rule_of
from espalier.models.tracing.trace import trace
from tests.models.networks import Flipping, Forward, Net, conv


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: m.b(torch.softmax(m.a(x), 1)), "softmax"),
        (lambda m, x: m.b(m.a(x) * m.a(x).mean(1, keepdim=True)), "reduces over channels"),
        (lambda m, x: m.b(F.pad(m.a(x), (0, 0, 0, 0, 1, 1))[:, 1:-1]), "takes some of the channels"),
        (lambda m, x: m.b(m.a(x)[:, torch.arange(8)]), "getitem"),
        (lambda m, x: m.b(m.a(x).view(x.size(0), 8, 8, 8)), "view has sizes that would not fit"),
        (lambda m, x: m.b((lambda y: y.view(-1, y.size(2), 8, 8))(m.a(x))), "view has sizes that would not fit"),
        (lambda m, x: m.b((lambda y: y.view(y.size(0), -1, y.size(1), 8))(m.a(x))), "view rearranges channels"),
        (
            lambda m, x: m.b((lambda y: y.view(-1, m.a(x).size(1) * 1, 8, 8))(m.a(x))),
            "view has sizes that would not fit",
        ),
        (lambda m, x: m.b(torch.cat(m.a(x).chunk(2, 1)[::-1], 1)), "chunk"),
        (lambda m, x: m.b((lambda y: y * y.mean((2, 3)).unsqueeze(1).unsqueeze(1))(m.a(x))), "broadcasts"),
        (lambda m, x: m.b(1 / m.a(x)), "divides by a tensor"),
        (lambda m, x: m.b((lambda y: y / y.shape[1])(m.a(x))), "computes with the number of these channels"),
        (lambda m, x: m.b((lambda y: y * y.size(1))(m.a(x))), "computes with the number of these channels"),
        (lambda m, x: m.b(F.group_norm(m.a(x), 2)), "group_norm normalises over channels"),
        (lambda m, x: m.b(m.a(x)[:, ::2].repeat(1, 2, 1, 1)), "takes some of the channels"),
        (lambda m, x: m.b(F.conv2d(m.a(x), torch.ones(8, 8, 1, 1, device=x.device))), "conv2d is not understood"),
        (lambda m, x: m.b(torch.index_select(m.a(x), 1, m.few).repeat(1, 2, 1, 1)), "than each channel once"),
    ],
)
def test_what_is_not_understood_is_frozen_with_a_reason(forward: Forward, reason: str) -> None:
    coupling = trace(Net(forward, a=conv(3, 8), b=conv(8, 2), one=conv(3, 1)), (3, 8, 8))
    assert not coupling.groups
    assert any(layer == "a" and reason in why for layer, why in coupling.kept), coupling.kept


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.c(torch.cat([(y := m.a(x)), y * y.size(2)], 1)),
        lambda m, x: m.c(torch.cat([(s := torch.softmax(m.z(x), 1)), F.relu(s)], 1) * m.a(x).mean()),
        lambda m, x: m.c(F.relu(torch.cat([m.a(x), m.z(x)], 1)[..., ::2, ::2]).view(x.size(0), 16, 4, 4)),
    ],
)
def test_what_runs_is_never_refused_as_a_whole(forward: Forward) -> None:
    trace(Net(forward, a=conv(3, 8), z=conv(3, 8), c=conv(16, 2)), (3, 8, 8))


@pytest.mark.parametrize(
    ("forward", "layers"),
    [
        (lambda m, x: m.b(m.a(x) * torch.softmax(m.one(x).flatten(2), 2).view(x.size(0), 1, 8, 8)), {}),
        (lambda m, x: m.b(m.a(x).flatten(2).sum(2)), {"b": nn.Linear(8, 2)}),
        (lambda m, x: m.b(torch.clamp(m.a(x), 0.1, 2) / 3), {}),
        (lambda m, x: m.b(torch.maximum(m.a(x), m.a(x))), {}),
        (lambda m, x: m.b(m.a(x) * m.vector.view(1, -1, 1, 1)), {}),
        (lambda m, x: m.b(m.a(x) * m.vector[None, :, None, None]), {}),
        (lambda m, x: m.b(m.a(x - m.mean)), {}),
    ],
)
def test_common_code_leaves_channels_prunable(forward: Forward, layers: dict[str, nn.Module]) -> None:
    net = Net(forward, a=conv(3, 8), **{"b": conv(8, 2), "one": conv(3, 1), **layers})
    net.vector, net.mean = nn.Parameter(torch.rand(8)), torch.rand(1, 3, 1, 1)
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"a": 8}
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0}))


def test_a_subclass_of_a_known_layer_is_not_known() -> None:
    coupling = trace(nn.Sequential(conv(3, 8), Flipping(8, 8, 1), conv(8, 2)), (3, 8, 8))
    assert not coupling.groups


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x) * (m.a(x) > 0.1)),
        lambda m, x: m.b(m.a(x) + (m.a(x) > 0.5).int()),
        lambda m, x: m.b(m.a(x - MEAN) / SPREAD),
        lambda m, x: m.b(m.a((x - MEAN) / SPREAD)),
        lambda m, x: m.b(m.a(x - torch.as_tensor([0.1, 0.2, 0.3]).view(3, 1, 1))),
        lambda m, x: m.b(m.a(x) * m.one(x).mean((2, 3)).unsqueeze(axis=2).unsqueeze(dim=3)),
    ],
)
def test_numbers_of_other_kinds_and_constants_of_the_code_are_no_obstacle(forward: Forward) -> None:
    coupling = trace(net := Net(forward, a=conv(3, 8), b=conv(8, 2), one=conv(3, 1)).double(), (3, 8, 8))
    prune(net, coupling, ChannelMask({group.name: torch.arange(8) % 3 > 0 for group in coupling.groups}))


MEAN, SPREAD = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64), torch.full((1, 1, 8, 8), 2.0, dtype=torch.float64)


def test_functions_and_methods_of_one_name_have_one_rule() -> None:
    both = {function.__name__: rule for function, rule in FUNCTIONS.items() if function.__name__ in METHODS}
    assert len(both) > 10
    assert all(METHODS[name] is rule for name, rule in both.items())


def test_a_function_that_is_not_listed_has_no_rule() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    assert rule_of(graph.call_function(torch.relu, (x,)), None) is elementwise
    assert rule_of(graph.call_method("relu", (x,)), None) is elementwise
    assert rule_of(graph.call_function(torch.cumsum, (x,)), None) is None
    assert rule_of(graph.call_module("0", (x,)), nn.ReLU()) is elementwise
    assert rule_of(graph.call_module("0", (x,)), nn.Sequential()) is None
    assert rule_of(x, None) is None
