"""Functions that work on each channel by itself."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.models.networks import Forward, conv
from tests.models.tracing.examples import found, kept


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: m.b(torch.clamp(m.a(x), m.a(x) - 1)), "clamp takes more than one tensor"),
        (lambda m, x: m.b(F.max_pool2d(m.a(x).transpose(1, 3), 1)), "max_pool2d works along the channels"),
        (lambda m, x: m.b(F.interpolate(m.a(x).transpose(1, 3), 8)), "interpolate works along the channels"),
        (
            lambda m, x: m.b(F.grid_sample(x[:, :1], m.a(x).permute(0, 2, 3, 1)[..., ::4], align_corners=False)),
            "getitem takes some of the channels",
        ),
    ],
)
def test_what_takes_more_than_one_channel_at_a_time_keeps_them(forward: Forward, reason: str) -> None:
    width = forward(torch.nn.ModuleDict({"a": conv(3, 8), "b": torch.nn.Identity()}), torch.zeros(2, 3, 8, 8)).shape[1]
    assert reason in kept(forward, b=conv(width, 2))


def test_what_is_made_as_wide_as_channels_is_cut_with_them() -> None:
    coupling = found(lambda m, x: m.b((y := m.a(x)) + y.new_ones(y.size(1), 1, 1)))
    assert coupling.widths == {"a": 8}
    assert "brings these channels together" in kept(lambda m, x: m.b(m.a(x) + torch.ones(8, 1, 1, dtype=x.dtype)))
