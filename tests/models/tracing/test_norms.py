"""Normalisations: what is cut exactly, and what keeps channels whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.networks import Forward, conv
from tests.models.tracing.examples import found, kept


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(8), nn.InstanceNorm2d(8), nn.InstanceNorm2d(8, affine=True, track_running_stats=True),
        nn.LayerNorm([8, 8]), nn.RMSNorm([8]), nn.LayerNorm(8),
    ],
    ids=str,
)  # fmt: skip
def test_norms_of_each_channel_by_itself_or_of_space_leave_channels_prunable(norm: nn.Module) -> None:
    assert found(lambda m, x: m.b(m.norm(m.a(x))), norm=norm).widths["a"] == 8


@pytest.mark.parametrize(
    ("norm", "words"),
    [
        (nn.GroupNorm(2, 8), "GroupNorm norm normalises over channels"),
        (nn.GroupNorm(8, 8), "GroupNorm norm normalises over channels"),
        (nn.LayerNorm([8, 8, 8]), "LayerNorm norm normalises over channels"),
        (nn.LocalResponseNorm(2), "LocalResponseNorm norm is not understood"),
    ],
    ids=str,
)
def test_norms_over_channels_keep_them(norm: nn.Module, words: str) -> None:
    assert kept(lambda m, x: m.b(m.norm(m.a(x))), norm=norm) == words


def test_a_norm_of_weights_over_what_they_read_keeps_that_and_no_more() -> None:
    coupling = found(lambda m, x: m.b(m.d(m.c(m.a(x)))), c=Standardised(8, 8, 3), d=conv(8, 8))
    assert [group.name for group in coupling.groups] == ["c", "d"]
    assert dict(coupling.kept)["a"].startswith("batch_norm normalises over channels")


class Standardised(nn.Conv2d):
    """A convolution whose weights have mean 0 and deviation 1 for each output, by way of a batch norm (timm's)."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        return F.conv2d(x, F.batch_norm(flat, None, None, training=True).reshape_as(self.weight), self.bias)


@pytest.mark.parametrize(
    "way", [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm], ids=["as a hook", "as a parametrization"]
)
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_lengths_and_directions_are_cut_together(way: Any, dim: int) -> None:
    coupling = found(lambda m, x: m.b(torch.relu(m.c(m.a(x)))), c=way(conv(8, 6), dim=dim), b=conv(6, 2))
    assert [group.width for group in coupling.groups] == [8, 6]


@pytest.mark.parametrize(
    ("forward", "widths"),
    [
        (lambda m, x: m.b(F.normalize(m.a(x), dim=1)), {"a": 8}),
        (lambda m, x: m.b(F.normalize(m.a(x), dim=(2, 3))), {"a": 8}),
        (lambda m, x: m.b(F.normalize(torch.sigmoid(m.a(x)), dim=1)), {}),
    ],
)
def test_vectors_are_made_of_length_one_where_what_is_cut_adds_nothing(forward: Forward, widths: Any) -> None:
    assert found(forward).widths == widths


def test_a_slope_for_each_channel() -> None:
    coupling = found(lambda m, x: m.b(F.prelu(m.a(x), m.slope)), slope=nn.Parameter(torch.rand(8)))
    assert {part.tensor for part in coupling.groups[0].slices} >= {"slope", "a.weight", "b.weight"}
