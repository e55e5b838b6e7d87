"""What tracing finds, in numbers: every width's shapes and costs, and the shares that can be pruned."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from tests.models.networks import Net, conv

NET = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), conv(8, 4), nn.Flatten(), nn.Linear(4 * 16, 2))
COUPLING = trace(NET, (3, 4, 4))


def test_the_dense_widths_give_the_dense_shapes() -> None:
    assert COUPLING.widths == {"0": 8, "2": 4}
    assert all(COUPLING.shape(name, COUPLING.widths) == tuple(t.shape) for name, t in NET.named_parameters())


def test_shapes_follow_the_widths() -> None:
    widths = {"0": 5, "2": 3}
    assert COUPLING.shape("0.weight", widths) == (5, 3, 3, 3)
    assert COUPLING.shape("1.bias", widths) == (5,)
    assert COUPLING.shape("2.weight", widths) == (3, 5, 3, 3)
    assert COUPLING.shape("4.weight", widths) == (2, 3 * 16)


def test_cost_is_counted_by_hand() -> None:
    params = (5 * 3 * 9 + 5) + 2 * 5 + (3 * 5 * 9 + 3) + (2 * 48 + 2)
    macs = 16 * (5 * 3 * 9) + 16 * (3 * 5 * 9) + 2 * 48
    assert COUPLING.cost({"0": 5, "2": 3}) == (params, macs)


@given(first=st.integers(1, 8), second=st.integers(1, 4))
def test_the_cost_of_any_widths_is_that_of_the_cut_network(first: int, second: int) -> None:
    mask = ChannelMask({"0": torch.arange(8) < first, "2": torch.arange(4) < second})
    cut = prune(NET, COUPLING, mask, check=False)
    assert COUPLING.cost(mask.widths).params == sum(parameter.numel() for parameter in cut.parameters())


def test_what_lies_on_no_prunable_channel_is_not_prunable() -> None:
    assert COUPLING.kept_part("0.weight") == 0
    assert COUPLING.kept_part("4.bias") == 2
    params, macs = COUPLING.prunable()
    assert params == 1 - 2 / COUPLING.cost(COUPLING.widths).params
    assert macs == 1


def test_of_a_network_without_groups_nothing_is_prunable() -> None:
    assert trace(nn.Sequential(conv(3, 2)), (3, 4, 4)).prunable() == (0, 0)


def test_of_nothing_nothing_is_prunable() -> None:
    assert trace(nn.Sequential(nn.ReLU()), (3, 4, 4)).prunable() == (0, 0)


def test_tensors_are_found_by_what_they_are_to_their_layers() -> None:
    assert COUPLING.with_role("scale") == ("1.weight",)
    assert COUPLING.with_role("statistic") == ("1.running_mean", "1.running_var")
    assert COUPLING.with_role("out") == ("0.weight", "2.weight", "4.weight")
    assert set(COUPLING.with_role("shift")) == {"0.bias", "1.bias", "2.bias", "4.bias"}
    assert COUPLING.with_role("index") == ()


def test_every_slice_has_the_role_that_its_tensor_has() -> None:
    for part in (part for group in COUPLING.groups for part in group.slices):
        assert COUPLING.roles[part.tensor, part.dim] == part.role


def test_products_of_activations_cost_the_same_at_any_width() -> None:
    net = Net(lambda m, x: m.b(m.a(x)) * torch.matmul(x, x).sum((1, 2, 3), keepdim=True), a=conv(3, 8), b=conv(8, 2))
    coupling = trace(net, (3, 4, 4))
    assert coupling.activation_macs == 3 * 4 * 4 * 4
    one, all_of_them = coupling.cost({"a": 1}), coupling.cost({"a": 8})
    assert all_of_them.macs - one.macs == 7 * (3 * 9 + 2 * 9) * 16


def test_input_and_output_are_those_of_one_image() -> None:
    assert (COUPLING.input, COUPLING.output) == ((3, 4, 4), (2,))
