"""Parts of tensors: cut where their ends move with the channels, whole where they do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from espalier.models.config import Slice
from tests.models.networks import Forward, conv
from tests.models.tracing.examples import found, kept


@pytest.mark.parametrize(
    "parts",
    [
        lambda y: y.chunk(2, 1),
        lambda y: [*y.chunk(2, dim=1)],
        lambda y: torch.split(y, y.shape[1] // 2, 1),
        lambda y: y.split([y.size(1) // 2] * 2, dim=1),
        lambda y: (y[:, : y.shape[1] // 2], y[:, y.shape[1] // 2 :]),
        lambda y: (y[:, : -(y.shape[1] // 2)], y[:, -(y.shape[1] // 2) :]),
        lambda y: (y.narrow(1, 0, y.shape[1] // 2), y.narrow(1, y.shape[1] // 2, y.shape[1] // 2)),
        lambda y: y.unflatten(1, (2, -1)).unbind(1),
        lambda y: torch.tensor_split(y, 2, 1),
    ],
)
def test_ways_to_take_halves_cut_both_alike(parts: Any) -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        one, other = parts(m.a(x))
        return m.b(torch.cat([one, m.inner(other), other], 1))  # type: ignore[no-any-return]

    coupling = found(forward, inner=conv(4, 6), b=conv(14, 2))
    assert coupling.widths == {"a": 4, "inner": 6}
    (whole, _) = coupling.groups
    assert {s.start for s in whole.slices if s.tensor == "a.weight"} == {0, 4}
    assert Slice("b.weight", 1, "in", 10) in whole.slices


def test_the_first_channels_may_be_as_many_as_another_activation_has() -> None:
    coupling = found(lambda m, x: m.b(m.a(x)[:, : (z := m.z(x)).size(1)] + z), z=conv(3, 5), b=conv(5, 2))
    assert {"z.weight", "a.weight"} <= {part.tensor for part in coupling.groups[0].slices}


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: m.b(m.a(x)[:, ::2]), "getitem takes some of the channels"),
        (lambda m, x: m.b(m.a(x)[:, [1, 0]]), "getitem takes what a tensor or a list says"),
        (lambda m, x: m.b(m.a(x).split(3, 1)[0]), "split takes a fixed number of the channels"),
        (lambda m, x: m.b(m.a(x).chunk(3, 1)[0]), "chunk takes parts of the channels that are not equal"),
        (lambda m, x: m.b(torch.stack(m.a(x).unbind(1)[:2], 1)), "unbind takes the channels one by one"),
        (lambda m, x: m.b(m.a(x).select(1, 0).unsqueeze(1)), "select takes some of the channels"),
        (lambda m, x: m.b(F.pad(m.a(x), (0, 0, 0, 0, 1, 0), mode="circular")), "pads channels with something else"),
    ],
)
def test_parts_by_fixed_numbers_keep_the_channels(forward: Forward, reason: str) -> None:
    width = forward(torch.nn.ModuleDict({"a": conv(3, 8), "b": torch.nn.Identity()}), torch.zeros(2, 3, 8, 8)).shape[1]
    assert reason in kept(forward, b=conv(width, 2))


@pytest.mark.parametrize(
    ("take", "free"),
    [
        (lambda y: y[:, 2:], [6]),
        (lambda y: y[:, :-2], [6]),
        (lambda y: y[:, 3:5], [3]),
        (lambda y: y.narrow(1, 2, 3), [3]),
        (lambda y: torch.cat([part.relu() for part in y.split([3, y.shape[1] - 3], 1)], 1), [5]),
        (lambda y: torch.cat([y[:, :3].relu(), y[:, 3:]], 1), [5]),
    ],
)
def test_fixed_numbers_of_the_first_or_last_channels_keep_these_and_no_more(take: Any, free: list[int]) -> None:
    width = take(torch.zeros(2, 8, 8, 8)).shape[1]
    coupling = found(lambda m, x: m.b(take(m.a(x))), b=conv(width, 2))
    assert [group.width for group in coupling.groups] == free


def test_what_is_written_into_space_couples_what_meets() -> None:
    """As shifts along time are written (Lin et al. 2019)."""

    def shifted(m: Any, x: Tensor) -> Tensor:
        y, z = m.a(x), m.z(x)
        out = torch.zeros_like(y)
        out[:, :, :4] = y[:, :, 4:]
        out[:, :, 4:] += z[:, :, 4:]
        return m.b(out) + out.sum(1, keepdim=True)  # type: ignore[no-any-return]

    (group,) = found(shifted, z=conv(3, 8)).groups
    assert {part.layer for part in group.slices} == {"a", "z", "b"}


def test_what_is_written_where_a_tensor_says_keeps_what_is_there() -> None:
    def masked(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        y[y > 0.5] = 0.5
        return m.b(y)  # type: ignore[no-any-return]

    assert "setitem writes where a tensor says" in kept(masked)


def test_a_number_that_is_written_is_not_zero() -> None:
    def marked(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        y[:, :, 0] = 1
        return m.b(y) + y.sum(1, keepdim=True)  # type: ignore[no-any-return]

    assert "sum reduces over channels" in kept(marked)
