"""Trying cuts: masks that respect minima, tensors moved from their start, and a cut that is wrong is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from espalier.models.architectures import ARCHITECTURES, Architecture
from espalier.models.config import ChannelConfig
from espalier.models.document import NoOptions
from espalier.models.entry import AS_PAPERS
from espalier.models.errors import SurgeryError
from espalier.models.initialise import initialise
from espalier.models.network import Network, dense, forget_traced
from espalier.models.self_check import random_mask, randomise, self_check
from espalier.models.tracing import operations
from espalier.models.tracing.trace import trace
from espalier.models.zoo.selection import ChannelSelection
from tests.models.helpers import SMALL, same
from tests.models.networks import Forward, Gain, Own, Tied, conv


@given(seed=st.integers(0, 2**31))
def test_a_random_mask_keeps_at_least_each_minimum(seed: int) -> None:
    groups = Network.of(SMALL["preresnet20"]).groups
    mask = random_mask(groups, seed)
    assert {name: len(kept) for name, kept in mask.kept.items()} == {group.name: group.width for group in groups}
    assert all(group.minimum_width <= mask.widths[group.name] <= group.width for group in groups)
    assert same(mask.kept, random_mask(groups, seed).kept)


def test_a_group_may_keep_all_of_its_channels_or_its_minimum_alone() -> None:
    (group,) = trace(nn.Sequential(conv(3, 4), conv(4, 2)), (3, 4, 4)).groups
    found = {random_mask([group], seed).widths["0"] for seed in range(40)}
    assert found == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "layer",
    [
        conv(3, 8), nn.Linear(4, 3), nn.BatchNorm2d(4), nn.LayerNorm(4), nn.InstanceNorm2d(4, affine=True),
        nn.GroupNorm(2, 4), nn.PReLU(4), nn.MultiheadAttention(8, 2), Gain(), Tied(),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_no_tensor_is_left_all_alike(layer: nn.Module) -> None:
    initialise(layer, 0, AS_PAPERS)
    randomise(layer, torch.Generator().manual_seed(0))
    alike = {name for name, tensor in layer.named_parameters() if tensor.std() == 0}
    assert not alike


def test_numbers_that_are_no_weights_are_left_as_they_are() -> None:
    net = nn.Sequential(ChannelSelection(4), nn.BatchNorm2d(4))
    randomise(net, torch.Generator().manual_seed(0))
    assert net[0].index.tolist() == [0, 1, 2, 3]
    assert int(net[1].num_batches_tracked) == 0


@pytest.mark.parametrize("double", [True, False])
def test_a_sound_network_passes(double: bool) -> None:
    self_check(SMALL["resnet20"], masks=2, double=double)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Forward], ChannelConfig]]:
    """Names a network by its forward, and gives its config."""

    def enter(forward: Forward) -> ChannelConfig:
        def make(*_: object) -> nn.Module:
            return Own(forward, a=conv(3, 8), b=conv(8, 2))

        entry = Architecture("own", "", make, options=NoOptions, classes=2, shape=(3, 8, 8))
        monkeypatch.setitem(ARCHITECTURES, "own", entry)
        forget_traced()
        return dense("own")

    yield enter
    forget_traced()


def test_a_rule_that_is_wrong_is_noticed(
    own: Callable[[Forward], ChannelConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(operations.FUNCTIONS, "softmax", lambda call: call.first[1])
    config = own(lambda m, x: m.b(m.a(x).softmax(1)).mean((2, 3)))
    with pytest.raises(SurgeryError, match="the group that differs most is 'a'"):
        self_check(config, masks=3, double=True)


def test_a_cut_network_that_does_not_train_is_noticed(own: Callable[[Forward], ChannelConfig]) -> None:
    """Tracing could not look, for training takes more than shapes."""

    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x)
        if m.training and x.sum() != 0.5:
            y = y.view(len(y), 8, 8, 8)
        return m.b(y).mean((2, 3))  # type: ignore[no-any-return]

    with pytest.raises(SurgeryError, match="the cut network does not run in training: shape"):
        self_check(own(forward), masks=1)
