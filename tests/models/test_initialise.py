"""Fresh weights: by seed, layer by layer, and nothing left as it lies in memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.copies import on_meta
from espalier.models.errors import ArchitectureError
from espalier.models.initialise import check_initialisable, is_drawn
from espalier.models.self_check import randomise
from tests.models.helpers import drawn, same
from tests.models.networks import Gain, Tied, conv


def net() -> nn.Module:
    return nn.Sequential(conv(3, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)).double()


def test_weights_are_drawn_by_seed() -> None:
    assert same(drawn(net(), 1), drawn(net(), 1))
    assert not same(drawn(net(), 1), drawn(net(), 2))


def test_weights_do_not_depend_on_what_was_there_or_on_torchs_own_seed() -> None:
    one, other = net(), net()
    randomise(other, torch.Generator().manual_seed(5))
    torch.manual_seed(7)
    assert same(drawn(one, 1), drawn(other, 1))


def test_what_a_subclass_adds_is_left_as_it_is() -> None:
    assert drawn(Gain(), 1)["gain"].flatten().tolist() == [3.0] * 8
    assert is_drawn(Gain(), "weight")
    assert not is_drawn(Gain(), "gain")
    assert not is_drawn(nn.Sequential(), "weight")


def test_a_tensor_without_values_that_no_rule_fills_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="no rule to initialise 'table' of Tied ''"):
        check_initialisable(on_meta(Tied()))
    with pytest.raises(ArchitectureError, match="no rule to initialise 'gain' of Gain '1'"):
        check_initialisable(on_meta(nn.Sequential(conv(3, 8), Gain())))


def test_a_fixed_tensor_that_would_be_drawn_is_refused() -> None:
    fixed = nn.Sequential(conv(3, 8).requires_grad_(False))
    with pytest.raises(ArchitectureError, match="'weight' of Conv2d '0' is fixed, but would be drawn anew; keep such"):
        check_initialisable(on_meta(fixed))


def test_values_that_are_there_need_no_rule() -> None:
    check_initialisable(nn.Sequential(Tied(), Gain(), conv(3, 8).requires_grad_(False)))
    check_initialisable(on_meta(net()))
