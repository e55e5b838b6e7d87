"""Networks without memory, and copies with other tensors."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn

from espalier.models.copies import on_meta, replace, with_memory, with_tensors, without_memory
from espalier.models.errors import ArchitectureError
from tests.models.networks import Tied


def test_only_the_named_kinds_lose_their_memory_and_only_meanwhile() -> None:
    with without_memory(lambda module, name: isinstance(module, nn.Linear) and name in ("weight", "bias")):
        net = Tied()
    assert net.one.weight.is_meta
    assert net.one.bias.is_meta
    assert net.table.tolist() == [0, 1, 2]
    assert not nn.Linear(2, 2).weight.is_meta


def test_shared_tensors_stay_shared() -> None:
    with without_memory(lambda module, name: isinstance(module, nn.Linear) and name in ("weight", "bias")):
        bare = Tied()
    for net in (bare, with_memory(bare), on_meta(Tied()), with_tensors(Tied(), {})):
        assert net.one.weight is net.two.weight  # type: ignore[union-attr]
        assert net.seen[0] is net.one  # type: ignore[index]


def test_a_copy_is_what_deepcopy_gives() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.ReLU(), nn.Flatten()), nn.Sequential())
    ours, theirs = with_tensors(net, {}), copy.deepcopy(net)
    assert str(ours) == str(theirs)
    assert all(
        torch.equal(a, b) and a is not b
        for a, b in zip(ours.state_dict().values(), net.state_dict().values(), strict=True)
    )
    for mine, original in zip(ours.modules(), net.modules(), strict=True):
        assert vars(mine).keys() == vars(original).keys()
        assert mine is not original
        assert mine._forward_hooks is not original._forward_hooks


def test_a_tensor_is_replaced_wherever_it_stands() -> None:
    net = nn.Sequential(Tied(), nn.BatchNorm2d(3))
    replace(net, {"0.one.weight": torch.ones(2, 4), "1.running_mean": torch.ones(2), "1.weight": torch.ones(2)})
    assert net[0].one.weight is net[0].two.weight
    assert isinstance(net[0].one.weight, nn.Parameter)
    assert (net[0].two.out_features, net[1].num_features) == (2, 2)
    assert net[1].running_mean.tolist() == [1, 1]
    assert net[1].running_var.shape == (3,)


def test_what_a_forward_pass_left_behind_does_not_keep_a_network_from_being_copied() -> None:
    """An activation kept as an attribute, which `copy.deepcopy` refuses."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1))
    net.seen = net(torch.ones(1, 3, 2, 2))
    copied = with_tensors(net, {})
    assert torch.equal(copied.seen, net.seen)
    assert not copied.seen.requires_grad


def test_a_copy_takes_other_tensors_and_says_what_it_is() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    cut = with_tensors(net, {name: t[:2].detach() for name, t in net.state_dict().items() if t.dim()})
    assert str(cut[0]) == "Conv2d(3, 2, kernel_size=(1, 1), stride=(1, 1))"
    assert cut[1].num_features == 2
    assert (net[0].out_channels, net[1].num_features) == (4, 4)


def test_a_replaced_parameter_is_one_and_wants_what_the_old_one_did() -> None:
    net = nn.Linear(2, 2).requires_grad_(False)
    copied = with_tensors(net, {"weight": torch.ones(3, 2), "bias": torch.ones(3, requires_grad=True)})
    assert all(isinstance(tensor, nn.Parameter) and not tensor.requires_grad for tensor in copied.parameters())


def test_memory_is_given_to_what_has_none_and_the_rest_keeps_its_values() -> None:
    net = Tied()
    net.one.bias = nn.Parameter(torch.empty(4, device="meta", dtype=torch.float64))
    filled = with_memory(net)
    assert not filled.one.bias.is_meta
    assert filled.one.bias.dtype == torch.float64
    assert torch.equal(filled.one.weight, net.one.weight)
    assert filled.one.weight is not net.one.weight


def test_what_cannot_be_copied_is_named() -> None:
    net = nn.Linear(2, 2)
    net.lock = threading.Lock()
    with pytest.raises(ArchitectureError, match="Linear holds what cannot be copied: cannot pickle"):
        on_meta(net)
