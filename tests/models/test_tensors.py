"""Networks without memory, and copies with other tensors."""

from __future__ import annotations

import copy

import torch
from torch import nn

from espalier.models.copies import on_meta, replace, with_memory, with_tensors, without_memory
from espalier.models.tensors import named_tensors


class Tied(nn.Module):
    """Two layers that share a weight, one that is kept in a list besides, and a table of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.two = nn.Linear(4, 4)
        self.two.weight = self.one.weight
        self.seen = [self.one]
        self.table = nn.Parameter(torch.arange(3.0))


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


def test_tensors_go_by_the_names_that_torch_gives_them() -> None:
    for net in (Tied(), nn.Sequential(Tied(), nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(2)), nn.Linear(2, 2)):
        expected = [*net.named_parameters(), *net.named_buffers()]
        found = [*named_tensors(net).items()]
        assert [name for name, _ in found] == [name for name, _ in expected]
        assert all(mine is theirs for (_, mine), (_, theirs) in zip(found, expected, strict=True))


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
