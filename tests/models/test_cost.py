"""Costs: equal to what is really there, to an independent count, and to the papers' tables."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from espalier.models.config import ChannelMask, Cost
from espalier.models.cost import cost, receipt
from espalier.models.network import Network, build, dense, thinned
from espalier.models.self_check import random_mask
from tests.models.helpers import SMALL

names = pytest.mark.parametrize("name", SMALL)


@names
@settings(max_examples=4)
@given(seed=st.integers(0, 2**31))
def test_cost_is_what_is_really_there(name: str, seed: int) -> None:
    config = SMALL[name]
    config = thinned(Network.of(config), random_mask(Network.of(config).groups, seed))
    net = build(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, *config.shape))
    assert cost(config) == (sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2)


@names
def test_cost_grows_with_every_width(name: str) -> None:
    config = SMALL[name]
    whole = cost(config)
    everything = {group.name: torch.ones(group.width, dtype=torch.bool) for group in Network.of(config).groups}
    for group in Network.of(config).groups:
        all_but_one = torch.arange(group.width) > 0
        thinner = cost(thinned(Network.of(config), ChannelMask(everything | {group.name: all_but_one})))
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
        ("preresnet20", 0.219e6, 33.7e6),
        ("preresnet56", 0.590e6, 87.2e6),
        ("preresnet110", 1.147e6, 167.4e6),
        ("preresnet164", 1.703e6, 247.6e6),
        ("densenet40", 1.059e6, 282.9e6),
        ("densenet_bc100", 0.769e6, 287.9e6),
    ],
)
def test_the_papers_networks_have_the_papers_costs(name: str, params: float, macs: float) -> None:
    assert cost(dense(name)) == pytest.approx((params, macs), rel=2.5e-3)


@pytest.mark.parametrize(
    ("name", "weights"),
    [("lenet300", 266_200), ("conv2", 4_300_992), ("conv4", 2_425_024), ("conv6", 2_261_184), ("lenet5", 430_500)],
)
def test_the_lottery_papers_networks_have_its_number_of_weights(name: str, weights: int) -> None:
    """Biases are not counted there."""
    shapes = Network.of(dense(name)).coupling.shapes
    assert sum(math.prod(shape) for shape in shapes.values() if len(shape) > 1) == weights


@pytest.mark.parametrize("name", ["resnet18", "vgg16_bn", "mobilenet_v3_large", "shufflenet_v2_x1_0", "vit_b_32"])
def test_torchvisions_networks_have_their_published_costs(name: str) -> None:
    """At the size they were trained with; the sweep (`test_sweep.py`) does this for all of them."""
    published = torchvision.models.get_model_weights(name).DEFAULT.meta
    params, macs = cost(dense(f"torchvision/{name}"))
    assert params == published["num_params"]
    assert macs / 1e9 == pytest.approx(published["_ops"], abs=1e-3)
