"""Properties of cutting, silencing and permuting, for every architecture, in double precision."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest
import torch
import torch.nn.utils.parametrizations
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from espalier.models.config import ChannelMask
from espalier.models.copies import on_meta
from espalier.models.errors import SurgeryError
from espalier.models.network import Network, build, thinned
from espalier.models.self_check import random_mask
from espalier.models.surgery import permute, prune, silence
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.trace import trace
from tests.models.helpers import SMALL, case, close
from tests.models.networks import Merging, Wide

CASES = {name: case(name) for name in SMALL}
names = pytest.mark.parametrize("name", CASES)


def seeds(test: Any) -> Any:
    """A few masks for each of the many architectures."""
    return settings(max_examples=4)(given(seed=st.integers(0, 2**31))(test))


@names
@seeds
def test_mask_equals_cut(name: str, seed: int) -> None:
    _, net, coupling, inputs = CASES[name]
    mask = random_mask(coupling.groups, seed)
    with torch.no_grad():
        assert close(prune(net, coupling, mask)(inputs), silence(net, coupling, mask)(inputs))


@names
@seeds
def test_build_has_the_shapes_of_prune(name: str, seed: int) -> None:
    config, net, coupling, _ = CASES[name]
    mask = random_mask(coupling.groups, seed)
    cut = prune(net, coupling, mask, check=False)
    built = build(thinned(Network.of(config), mask))
    assert {k: v.shape for k, v in built.state_dict().items()} == {k: v.shape for k, v in cut.state_dict().items()}
    for ours, theirs in zip(built.modules(), cut.modules(), strict=True):
        assert ours.extra_repr() == theirs.extra_repr()


@names
@seeds
def test_permutation_changes_nothing(name: str, seed: int) -> None:
    _, net, coupling, inputs = CASES[name]
    generator = torch.Generator().manual_seed(seed)
    order = {group.name: torch.randperm(group.width, generator=generator) for group in coupling.groups}
    with torch.no_grad():
        assert close(permute(net, coupling, order)(inputs), net(inputs))


@names
def test_surgery_leaves_the_network_as_it_was(name: str) -> None:
    _, net, coupling, _ = CASES[name]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.train()
    prune(net, coupling, random_mask(coupling.groups, 3))
    silence(net, coupling, random_mask(coupling.groups, 3))
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    net.eval()
    after = net.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(  # one of each kind: many cuts each
    "name", ["lenet5", "vgg11", "resnet20", "preresnet20", "mobilenet_v1", "torchvision/squeezenet1_1"]
)
def test_dropping_any_slice_of_any_group_is_noticed(name: str) -> None:
    """Mutation: each declared slice carries weight, or the shapes or values would not come out right."""
    _, net, coupling, inputs = CASES[name]
    generator = torch.Generator().manual_seed(5)
    groups = coupling.groups
    for index, group in enumerate(groups):
        kept = {g.name: torch.ones(g.width, dtype=torch.bool) for g in coupling.groups}
        kept[group.name][torch.randperm(group.width, generator=generator)[: group.width // 2]] = False
        mask, order = ChannelMask(kept), {g.name: torch.arange(g.width) for g in coupling.groups}
        order[group.name] = torch.arange(group.width).flip(0)
        for part in group.slices:
            less = dataclasses.replace(group, slices=tuple(s for s in group.slices if s != part))
            mutated = dataclasses.replace(coupling, groups=(*groups[:index], less, *groups[index + 1 :]))
            assert _noticed(net, mutated, mask, order, inputs), f"{group.name}: {part}"


def _noticed(net: nn.Module, coupling: Coupling, mask: ChannelMask, order: dict[str, Tensor], inputs: Tensor) -> bool:
    try:
        with torch.no_grad():
            if not close(prune(net, coupling, mask, check=False)(inputs), silence(net, coupling, mask)(inputs)):
                return True
            return not close(permute(net, coupling, order)(inputs), net(inputs))
    except (SurgeryError, RuntimeError):
        return True


def test_the_check_names_the_group_that_is_wrong() -> None:
    _, net, coupling, _ = CASES["vgg11"]
    groups, wrong = coupling.groups, coupling.groups[2]
    fewer = tuple(s for s in wrong.slices if not s.tensor.endswith("bias"))
    mutated = dataclasses.replace(coupling, groups=(*groups[:2], dataclasses.replace(wrong, slices=fewer), *groups[3:]))
    kept = {g.name: torch.ones(g.width, dtype=torch.bool) for g in coupling.groups}
    kept[wrong.name][:3] = False
    with pytest.raises(SurgeryError, match=f"the group that differs most is '{re.escape(wrong.name)}'"):
        prune(net, mutated, ChannelMask(kept))


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ({"nowhere": torch.ones(3, dtype=torch.bool)}, "no group of this network: nowhere"),
        ({}, "needs a bool mask of 8 channels, got nothing"),
        ({"features.0": torch.ones(5, dtype=torch.bool)}, r"got torch.bool of shape \(5,\)"),
        ({"features.0": torch.ones(8)}, "got torch.float32"),
        ({"features.0": torch.zeros(8, dtype=torch.bool)}, "would be empty"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(kept: dict[str, torch.Tensor], words: str) -> None:
    _, net, coupling, _ = CASES["vgg11"]
    with pytest.raises(SurgeryError, match=words):
        prune(net, dataclasses.replace(coupling, groups=coupling.groups[:1]), ChannelMask(kept))


def test_what_a_cut_network_raises_is_a_reason_not_a_crash() -> None:
    net = Wide()
    coupling = trace(net, (3, 4, 4))
    with pytest.raises(SurgeryError, match="the group that differs most is 'a'"):
        prune(net, coupling, ChannelMask({"a": torch.arange(8) < 2}))


def test_a_network_without_parameters_has_nothing_to_check() -> None:
    net = nn.Sequential(nn.AvgPool2d(2), nn.Flatten())
    assert isinstance(prune(net, trace(net, (3, 4, 4)), ChannelMask({})), nn.Sequential)


def test_a_network_is_switched_back_as_its_own_code_does_it() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 1), Merging())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    prune(net, trace(net, (3, 4, 4)), ChannelMask({"0": torch.arange(8) < 4}))
    assert net.training
    assert not net[1].merged
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_parts_that_evaluate_go_on_evaluating() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8).eval(), nn.Conv2d(8, 2, 1))
    prune(net, trace(net, (3, 4, 4)), ChannelMask({"0": torch.arange(8) < 4}))
    assert [module.training for module in net.modules()] == [True, True, False, True]


@pytest.mark.parametrize("name", ["resnet20", "densenet40"])
@pytest.mark.parametrize("seed", range(3))
def test_rounding_of_half_precision_is_no_difference(name: str, seed: int) -> None:
    net, coupling = build(SMALL[name]).bfloat16(), CASES[name].coupling
    prune(net, coupling, random_mask(coupling.groups, seed))


def test_a_cut_that_is_wrong_is_noticed_in_half_precision() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)).bfloat16()
    coupling = trace(net, (3, 4, 4))
    (group,) = coupling.groups
    wrong = dataclasses.replace(group, slices=tuple(part for part in group.slices if part.tensor != "0.bias"))
    with pytest.raises(SurgeryError, match="differs"):
        prune(net, dataclasses.replace(coupling, groups=(wrong,)), ChannelMask({"0": torch.arange(8) < 4}))


def test_a_network_that_has_nothing_to_compare_says_so() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1))
    coupling, mask = trace(net, (3, 4, 4)), ChannelMask({"0": torch.arange(8) < 4})
    with pytest.raises(SurgeryError, match="without values"):
        prune(on_meta(net), coupling, mask)
    assert prune(on_meta(net), coupling, mask, check=False)[0].out_channels == 4  # type: ignore[index]
    net[1].weight.data.fill_(math.nan)
    with pytest.raises(SurgeryError, match="the network itself gives NaN"):
        prune(net, coupling, mask)


def test_a_weight_that_is_computed_is_not_computed_by_a_copy() -> None:
    """Spectral norm goes a step further each time that its weight is asked for in training."""
    net = nn.Sequential(nn.Conv2d(3, 8, 1), torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 2, 1)))
    before = {name: tensor.clone() for name, tensor in net.double().state_dict().items()}
    copy = prune(net, trace(net, (3, 4, 4)), ChannelMask({"0": torch.arange(8) < 8}))
    assert all(torch.equal(before[name], tensor) for name, tensor in copy.state_dict().items())
