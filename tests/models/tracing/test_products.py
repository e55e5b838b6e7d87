"""Products with weights: what they read, what they give, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.tracing.trace import trace
from tests.models.networks import Own, conv
from tests.models.tracing.examples import PX, check, found, kept


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_convolutions_in_groups_are_cut_evenly(kind: Any, groups: int) -> None:
    coupling = found(lambda m, x: m.b(m.c(m.a(x))), c=kind(8, 16, 3, padding=1, groups=groups), b=conv(16, 2))
    widths = {1: [8, 16], 2: [4, 8], 4: [2, 4], 8: [8]}[groups]
    assert [group.width for group in coupling.groups] == widths
    assert coupling.macs_per_weight["c.weight"] == 64


def test_a_weight_that_is_used_from_outside_its_layer_is_cut_too() -> None:
    """As in networks that tie what encodes to what decodes."""
    coupling = found(lambda m, x: F.conv_transpose2d(torch.relu(m.a(x)), m.a.weight, padding=1)[:, :2] + m.b(m.a(x)))
    assert coupling.widths == {"a": 8}
    assert coupling.macs_per_weight["a.weight"] == 64 * 3


def test_multiply_adds_of_a_weight_that_is_computed_are_those_of_what_it_is_computed_from() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        weight = m.c.weight * 2 + F.pad(m.d.weight, (1, 1, 1, 1))  # as reparameterised networks are merged
        return m.b(F.conv2d(m.a(x), weight, padding=1))  # type: ignore[no-any-return]

    coupling = found(forward, c=conv(8, 6), d=nn.Conv2d(8, 6, 1), b=conv(6, 2))
    assert sorted(group.width for group in coupling.groups) == [6, 8]
    assert coupling.macs_per_weight["c.weight"] == 64
    assert "d.weight" not in coupling.macs_per_weight
    assert coupling.cost(coupling.widths).macs == 64 * 9 * (3 * 8 + 8 * 6 + 6 * 2)


def test_products_of_activations_keep_them_and_are_counted() -> None:
    def attend(m: Any, x: Tensor) -> Tensor:
        y = m.a(x).flatten(2)
        return m.b((torch.softmax(y.transpose(1, 2) @ y, 2) @ y.transpose(1, 2)).transpose(1, 2).unflatten(2, (8, 8)))  # type: ignore[no-any-return]

    net = Own(attend, a=conv(3, 8), b=conv(8, 2))
    coupling = trace(net, PX)
    assert "matmul multiplies activations with each other" in dict(coupling.kept)["a"]
    assert coupling.activation_macs == 2 * 64 * 64 * 8
    check(net.double(), coupling)


@pytest.mark.parametrize(
    "product",
    [
        lambda m, y: torch.einsum("bchw,oc->bohw", y, m.w),
        lambda m, y: torch.einsum("oc,bchw->bohw", m.w, y),
        lambda m, y: torch.einsum("oc,bchw->bohw", [m.w, y]),
        lambda m, y: (y.permute(0, 2, 3, 1) @ m.w.t()).permute(0, 3, 1, 2),
        lambda m, y: (m.w @ y.flatten(2)).unflatten(2, (8, 8)),
        lambda m, y: F.linear(y.movedim(1, 3), m.w).movedim(3, 1),
        lambda m, y: F.conv2d(y, m.w[:, :, None, None]),
    ],
)
def test_ways_to_write_a_convolution_of_one_place(product: Any) -> None:
    coupling = found(lambda m, x: m.b(product(m, m.a(x))), w=nn.Parameter(torch.rand(6, 8)), b=conv(6, 2))
    assert sorted(group.width for group in coupling.groups) == [6, 8]
    assert coupling.macs_per_weight["w"] == 64


@pytest.mark.parametrize(
    ("equation", "shape"), [("bchw,c->bhw", (8,)), ("bchw,dchw->bd", (2, 8, 8, 8)), ("bchw,cd->bdhw", (8, 2))]
)
def test_sums_of_products_over_channels(equation: str, shape: tuple[int, ...]) -> None:
    coupling = found(lambda m, x: torch.einsum(equation, m.a(x), m.w), w=nn.Parameter(torch.rand(shape)))
    assert coupling.widths["a"] == 8


def test_sums_that_are_not_known_keep_what_they_read() -> None:
    assert "einsum multiplies activations with each other" in kept(
        lambda m, x: m.b(torch.einsum("bchw,bdhw->bcd", m.a(x), m.a(x)).unsqueeze(-1))
    )
    assert "einsum multiplies in a way that is not known" in kept(
        lambda m, x: m.b(torch.einsum("bchw,cc->bchw", m.a(x), m.w)), w=nn.Parameter(torch.rand(8, 8))
    )


def test_a_table_of_which_rows_are_taken_keeps_its_rows() -> None:
    coupling = found(lambda m, x: m.b(m.a(x) + m.table(torch.tensor([2])).view(1, -1, 1, 1)), table=nn.Embedding(4, 8))
    assert {(s.tensor, s.dim) for g in coupling.groups for s in g.slices if s.layer == "table"} == {("table.weight", 1)}


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: F.conv2d(x, m.a.weight, m.h + 1, padding=1),
        lambda m, x: F.linear(m.a(x).movedim(1, 3), m.w, m.h.exp()).movedim(3, 1),
        lambda m, x: F.batch_norm(torch.sigmoid(m.a(x)), m.rm, m.rv, 1 + m.g, m.h),
        lambda m, x: F.batch_norm(m.a(x), m.rm, m.rv, m.g, m.h + 1),
    ],
)
def test_a_shift_that_is_computed_may_be_more_than_zero_where_a_channel_is_cut(forward: Any) -> None:
    vectors = {name: nn.Parameter(torch.rand(8)) for name in "gh"}
    buffers = {"rm": torch.rand(8), "rv": torch.rand(8) + 0.5, "w": nn.Parameter(torch.rand(8, 8))}
    coupling = found(lambda m, x: m.b(z := forward(m, x)) + z.sum(1, keepdim=True), **vectors, **buffers)
    assert any("sum reduces over channels" in reason for _, reason in coupling.kept) or not coupling.groups


def test_multiply_adds_of_weights_with_each_other_are_those_of_every_cut() -> None:
    coupling = found(
        lambda m, x: m.b(m.a(x)) + (x.mean((2, 3)) @ (m.u @ m.v)).view(-1, 2, 1, 1),
        u=nn.Parameter(torch.rand(3, 4)), v=nn.Parameter(torch.rand(4, 2)),
    )  # fmt: skip
    assert coupling.widths == {"a": 8}
