"""Functions of several tensors: which channels meet, and what a selection keeps whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.config import ChannelMask, Selection, Slice
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.networks import Forward, Net, conv
from tests.models.tracing.examples import found, kept


def test_a_sum_couples_its_terms() -> None:
    net = Net(lambda m, x: m.c(m.a(x) + m.b(x)), a=conv(3, 8), b=conv(3, 8), c=conv(8, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert {(s.tensor, s.dim) for s in group.slices} >= {("a.weight", 0), ("b.weight", 0), ("c.weight", 1)}


def test_a_concatenation_keeps_its_parts_apart() -> None:
    net = Net(lambda m, x: m.c(torch.cat([m.a(x), m.b(x)], 1)), a=conv(3, 8), b=conv(3, 5), c=conv(13, 2))
    first, second = trace(net, (3, 8, 8)).groups
    assert Slice("c.weight", 1, "in", 0) in first.slices
    assert Slice("c.weight", 1, "in", 8) in second.slices


def test_the_same_tensor_joined_twice_is_one_group_in_two_places() -> None:
    net = Net(lambda m, x: m.c((lambda y: torch.cat([y, y], 1))(m.a(x))), a=conv(3, 8), c=conv(16, 2))
    (group,) = trace(net, (3, 8, 8)).groups
    assert {s.start for s in group.slices if s.tensor == "c.weight"} == {0, 8}


def test_a_selection_frees_what_reads_a_stream_and_keeps_the_stream() -> None:
    net = Net(
        lambda m, x: m.b(torch.index_select(m.bn(m.a(x)), 1, m.all)), a=conv(3, 8), bn=nn.BatchNorm2d(8), b=conv(8, 2)
    )
    coupling = trace(net, (3, 8, 8))
    (group,) = coupling.groups
    assert set(group.slices) == {Slice("all", 0, "index"), Slice("b.weight", 1, "in")}
    assert group.selection == Selection(Slice("all", 0, "index"), "bn.weight")
    assert coupling.kept[0] == ("a", "read through all, which selects from it")
    cut = prune(net, coupling, ChannelMask({group.name: torch.tensor([0, 1, 0, 0, 1, 1, 0, 0]).bool()}))
    assert cut.get_buffer("all").tolist() == [1, 4, 5]


def test_squeeze_and_excitation_is_coupled_to_what_it_scales() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        scale = m.up(F.relu(m.down(F.adaptive_avg_pool2d(y, 1)))).sigmoid()
        return m.b(y * scale)  # type: ignore[no-any-return]

    net = Net(forward, a=conv(3, 8), down=nn.Conv2d(8, 2, 1), up=nn.Conv2d(2, 8, 1), b=conv(8, 2))
    wide, narrow = trace(net, (3, 8, 8)).groups
    assert (wide.width, narrow.width, wide.stage, narrow.stage) == (8, 2, 0, 0)
    assert {part.tensor for part in wide.slices} >= {"a.weight", "down.weight", "up.weight", "b.weight"}


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x) * torch.sigmoid(m.one(x))),
        lambda m, x: m.b(torch.sigmoid(m.one(x)) + m.a(x)),
        lambda m, x: m.b((lambda y: y * torch.sigmoid(m.gate(y)))(m.a(x))),
    ],
)
def test_one_channel_may_gate_all_of_them(forward: Forward) -> None:
    net = Net(forward, a=conv(3, 8), b=conv(8, 2), one=conv(3, 1), gate=conv(8, 1))
    coupling = trace(net, (3, 8, 8))
    assert coupling.widths == {"a": 8}
    prune(net, coupling, ChannelMask({"a": torch.arange(8) % 3 > 0}))


@pytest.mark.parametrize(
    "again",
    [
        lambda m, y: y.index_select(1, m.all).sum(1, keepdim=True),
        lambda m, y: y[:, m.all].mean(1, keepdim=True),
        lambda m, y: m.all.sum() * y,
    ],
)
def test_a_selection_whose_indices_are_used_otherwise_stays(again: Callable[[Net, Tensor], Tensor]) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        return m.b(y.index_select(1, m.all) * again(m, y))  # type: ignore[no-any-return]

    assert not trace(Net(forward, a=conv(3, 8), b=conv(8, 2)), (3, 8, 8)).groups


def test_a_concatenation_of_all_that_is_unknown_is_unknown() -> None:
    net = Net(lambda m, x: m.c(torch.cat([torch.cumsum(m.a(x), 1)] * 2, 1)), a=conv(3, 8), c=conv(16, 2))
    coupling = trace(net, (3, 4, 4))
    assert not coupling.groups
    assert coupling.kept[0].reason.startswith("cumsum works along the channels in ")


def test_a_concatenation_along_another_dimension_couples_what_lies_beside_each_other() -> None:
    coupling = found(lambda m, x: m.c(torch.cat([m.a(x), m.d(x)], 2)), d=conv(3, 8), c=conv(8, 2))
    (group,) = coupling.groups
    assert {part.layer for part in group.slices} == {"a", "d", "c"}


def test_sums_over_channels_count_nothing_that_is_cut_only_where_that_is_zero() -> None:
    total = lambda y: y.sum(1, keepdim=True)  # noqa: E731
    assert found(lambda m, x: m.b(m.a(x)) + total(m.a(x))).widths == {"a": 8}
    assert found(lambda m, x: m.b(m.a(x)) + total(m.a(x) * torch.sigmoid(m.a(x)))).widths == {"a": 8}
    assert found(lambda m, x: m.b(m.a(x)) + total(m.a(x) + m.a(x))).widths == {"a": 8}
    for changed in (torch.sigmoid, torch.exp, lambda y: y + 1, lambda y: 2 - y, lambda y: torch.where(y > 0, y, 1.0)):
        assert "sum reduces over channels" in kept(lambda m, x, f=changed: m.b(m.a(x)) + total(f(m.a(x))))


def test_a_sum_with_what_has_no_channels_is_not_zero_where_they_are_cut() -> None:
    coupling = found(lambda m, x: m.b(m.a(x)) + (m.a(x) + m.one(x)).sum(1, keepdim=True), one=conv(3, 1))
    assert "sum reduces over channels" in dict(coupling.kept)["a"]


def test_below_the_line_there_is_nothing_that_a_cut_makes_zero() -> None:
    assert "divides by a tensor that is zero where a channel is cut" in kept(lambda m, x: m.b(m.a(x) / m.a(x)))
    assert found(lambda m, x: m.b(m.a(x) / (1 + m.a(x).abs()))).widths == {"a": 8}


def test_a_single_number_meets_no_channel() -> None:
    net = Net(lambda m, x: m.b(m.a(x) * m.s + 3), a=conv(3, 8), b=conv(8, 2), s=nn.Parameter(torch.ones(())))
    assert trace(net, (3, 4, 4)).widths == {"a": 8}


def test_a_sum_with_what_is_unknown_keeps_what_meets_it() -> None:
    net = Net(lambda m, x: m.c(m.a(x) + torch.cumsum(m.b(x), 1)), a=conv(3, 8), b=conv(3, 8), c=conv(8, 2))
    assert dict(trace(net, (3, 4, 4)).kept)["a"].startswith("cumsum works along the channels in ")


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.flatten(2).add_(1),
        lambda y: y.chunk(2, 1)[0].sigmoid_(),
        lambda y: y[:, :, 1:][..., 1:].fill_(1),
        lambda y: y.permute(0, 2, 3, 1).exp_(),
        lambda y: y.data.add_(1),
        lambda y: y.detach().add_(1),
        lambda y: F.hardsigmoid(y, inplace=True),
        nn.Hardsigmoid(inplace=True),
        lambda y: y.view(*y.shape).sigmoid_(),
        lambda y: y[:, :, 1:].__iadd__(1),
        lambda y: y[:, :, 1:].__setitem__((..., 0), 1.0),
    ],
)
def test_what_is_changed_by_another_name_is_changed(change: Callable[[Tensor], Any]) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        change(y)
        return m.b(y) + y.sum(1, keepdim=True)  # type: ignore[no-any-return]

    assert "sum reduces over channels" in kept(forward)


@pytest.mark.parametrize(
    "normed",
    [
        lambda y: (y - y.mean((2, 3), keepdim=True)) / y.std((2, 3), keepdim=True),
        lambda y: y * y.var((2, 3), keepdim=True).rsqrt(),
        lambda y: y.abs().log(),
        lambda y: y.reciprocal(),
    ],
)
def test_what_would_be_nothing_over_nothing_where_a_channel_is_cut_stays(normed: Callable[[Tensor], Tensor]) -> None:
    assert "zero where a channel is cut" in kept(lambda m, x: m.b(normed(m.a(x))))


@pytest.mark.parametrize(
    "chosen",
    [
        lambda m, y: torch.where(y > 0, y, m.v.view(1, 1, -1, 1)),
        lambda m, y: y.masked_fill(m.v.view(1, 1, -1, 1) > 0.5, 0.0),
    ],
)
def test_what_is_chosen_is_zero_only_where_every_choice_is(chosen: Callable[[Any, Tensor], Tensor]) -> None:
    """One has channels where the other has none of them."""

    def forward(m: Any, x: Tensor) -> Tensor:
        return m.b(m.a(x)) + chosen(m, m.a(x)).sum((1, 2), keepdim=True)  # type: ignore[no-any-return]

    found(forward, v=nn.Parameter(torch.rand(8)))
