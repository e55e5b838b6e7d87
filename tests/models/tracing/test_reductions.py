"""Functions that make one number of several."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models.networks import Forward, conv
from tests.models.tracing.examples import found, kept


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.b(m.a(x).mean((2, 3))),
        lambda m, x: m.b(m.a(x).mean([-1, -2], keepdim=True).flatten(1)),
        lambda m, x: m.b(m.a(x).flatten(2).max(-1).values),
        lambda m, x: m.b(m.a(x).flatten(2).max(dim=2)[0]),
        lambda m, x: m.b(m.a(x).std((2, 3), unbiased=False)),
        lambda m, x: m.b(torch.var(m.a(x), dim=(2, 3), correction=0)),
        lambda m, x: m.b(m.a(x).pow(2).sum((2, 3)).sqrt()),
        lambda m, x: m.b(torch.max(m.a(x), -m.a(x)).amax((2, 3))),
    ],
)
def test_channels_go_on_behind_what_is_reduced_over_space(forward: Forward) -> None:
    assert found(forward, b=nn.Linear(8, 2)).widths == {"a": 8}


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: m.b(m.a(x) * m.a(x).mean()), "mean reduces over channels"),
        (lambda m, x: m.b(m.a(x) * m.a(x).amax(1, keepdim=True)), "amax reduces over channels"),
        (lambda m, x: m.b(m.a(x) * m.a(x).norm(0, 1, keepdim=True)), "norm reduces over channels"),
        (lambda m, x: m.b(m.a(x) * m.a(x).var(1, keepdim=True)), "var reduces over channels"),
        (lambda m, x: m.b(m.a(x) * torch.softmax(m.a(x), 1)), "softmax works along the channels"),
        (lambda m, x: m.b(torch.roll(m.a(x), 3)), "roll does not say along which dimension it works"),
    ],
)
def test_what_counts_or_compares_channels_keeps_them(forward: Forward, reason: str) -> None:
    assert reason in kept(forward)


def test_an_image_that_is_lost_among_others_is_no_matter_of_channels() -> None:
    assert found(lambda m, x: m.b(m.a(x) - m.a(x).mean(0, keepdim=True))).widths == {"a": 8}


def test_a_global_response_is_exact_where_what_is_cut_adds_nothing() -> None:
    """Norms over space may be summed over channels (Woo et al. 2023 take their mean, which counts them)."""
    share = lambda y, f: y * (g := y.norm(dim=(2, 3), keepdim=True)) / (1 + f(g))  # noqa: E731
    assert found(lambda m, x: m.b(share(m.a(x), lambda g: g.sum(1, True)))).widths == {"a": 8}
    assert "mean reduces over channels" in kept(
        lambda m, x: m.b(share(m.a(x), lambda g: g.mean(1, True))), b=conv(8, 2)
    )
