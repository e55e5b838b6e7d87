"""Layer and group norm: drawn and written, and what they read stays dense."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from espalier.models.self_check import randomise
from espalier.models.tracing.trace import trace
from tests.models.helpers import drawn, rebuilt, same
from tests.models.networks import conv

NORMS = [
    nn.LayerNorm(4),
    nn.LayerNorm((4, 5), eps=1e-3, elementwise_affine=False),
    nn.LayerNorm(4, bias=False),
    nn.GroupNorm(2, 4),
    nn.GroupNorm(2, 4, affine=False),
]


@pytest.mark.parametrize("layer", NORMS, ids=str)
def test_a_norm_is_written_as_what_it_is(layer: nn.Module) -> None:
    assert rebuilt(layer).extra_repr() == layer.extra_repr()
    assert rebuilt(layer).state_dict().keys() == layer.state_dict().keys()


@pytest.mark.parametrize("layer", [nn.LayerNorm(4), nn.LayerNorm(4, bias=False), nn.GroupNorm(2, 4)], ids=str)
def test_a_norm_begins_anew_whatever_the_seed(layer: nn.Module) -> None:
    begun = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    for tensor in layer.parameters():
        tensor.data.fill_(3)
    assert same(drawn(layer, 1), begun)
    assert same(drawn(layer, 2), begun)


def test_a_layer_norm_can_be_randomised() -> None:
    layer = nn.LayerNorm(4)
    randomise(layer, torch.Generator().manual_seed(0))
    assert not torch.equal(layer.weight, torch.ones(4))
    assert layer.bias.any()


def test_a_group_norm_keeps_what_it_reads_and_no_more() -> None:
    net = nn.Sequential(conv(3, 8), nn.GroupNorm(2, 8), conv(8, 6), conv(6, 2))
    coupling = trace(net, (3, 8, 8))
    assert coupling.kept[0] == ("0", "GroupNorm 1 normalises over channels")
    assert coupling.widths == {"2": 6}
