"""Costs: equal to what is really there, to an independent count, and to the papers' tables."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from models.config import Cost
from models.cost import cost, receipt
from models.registry import build, dense, groups
from tests.models.helpers import SMALL, random_mask

names = pytest.mark.parametrize("name", SMALL)


@names
@given(seed=st.integers(0, 2**31))
def test_cost_is_what_is_really_there(name: str, seed: int) -> None:
    config = SMALL[name]
    config = config.model_copy(update={"widths": random_mask(groups(config), seed).widths})
    net = build(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, *config.shape))
    assert cost(config) == (sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2)


@names
def test_cost_grows_with_every_width(name: str) -> None:
    config = SMALL[name]
    whole = cost(config)
    for group in groups(config):
        thinner = cost(config.model_copy(update={"widths": config.widths | {group.name: group.width - 1}}))
        assert thinner.params < whole.params
        assert thinner.macs < whole.macs


@names
def test_the_receipt_adds_up(name: str) -> None:
    rows = receipt(SMALL[name])
    assert Cost(sum(row.params for row in rows), sum(row.macs for row in rows)) == cost(SMALL[name])


def test_one_convolution_by_hand() -> None:
    first = receipt(dense("vgg16"))[0]
    assert first.params == 64 * 3 * 3 * 3
    assert first.macs == 64 * 3 * 3 * 3 * 32 * 32
    assert (first.inputs, first.outputs, first.kernel, first.stride, first.groups) == (3, 64, (3, 3), (1, 1), 1)


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("vgg11", 9.23e6, 152.8e6),
        ("vgg16", 14.72e6, 313.2e6),
        ("vgg19", 20.04e6, 398.1e6),
        ("resnet20", 0.270e6, 40.6e6),
        ("resnet32", 0.464e6, 68.9e6),
        ("resnet56", 0.853e6, 125.5e6),
        ("resnet110", 1.728e6, 252.9e6),
    ],
)
def test_the_papers_networks_have_the_papers_costs(name: str, params: float, macs: float) -> None:
    assert cost(dense(name)) == pytest.approx((params, macs), rel=2e-3)


def test_torchvisions_resnet18_has_the_published_size() -> None:
    assert cost(dense("torchvision/resnet18")).params == 11_689_512
