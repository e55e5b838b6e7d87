"""Attention: drawn and written down, but what reaches it stays dense."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from espalier.models.layers.attention import ATTENTION
from espalier.models.tracing.trace import trace
from tests.models.helpers import drawn, rebuilt, same
from tests.models.networks import Net, conv


@pytest.mark.parametrize("layer", [nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2, 0.1, batch_first=True)])
def test_attention_is_written_as_what_it_is(layer: nn.MultiheadAttention) -> None:
    again = rebuilt(layer)
    for name in ("embed_dim", "num_heads", "dropout", "batch_first"):
        assert getattr(again, name) == getattr(layer, name)
    assert again.state_dict().keys() == layer.state_dict().keys()


@pytest.mark.parametrize(
    "layer",
    [nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2, kdim=4, vdim=6), nn.MultiheadAttention(8, 2, bias=False)],
    ids=["one", "separate", "without bias"],
)
def test_attention_is_drawn_by_seed(layer: nn.MultiheadAttention) -> None:
    assert same(drawn(layer, 1), drawn(layer, 1))
    one, other = drawn(layer, 1), drawn(layer, 2)
    assert all(one[name].any() and not torch.equal(one[name], other[name]) for name in one if name.endswith("weight"))
    assert not any(one[name].any() for name in one if "bias" in name)


def test_every_tensor_of_attention_is_drawn_or_its_output_layers() -> None:
    layer = nn.MultiheadAttention(8, 2, add_bias_kv=True, kdim=4)
    assert {name for name, _ in layer.named_parameters(recurse=False)} <= set(ATTENTION.drawn)


def test_attention_has_the_deviation_of_glorot() -> None:
    weight = drawn(nn.MultiheadAttention(64, 2), 0)["in_proj_weight"]
    assert float(weight.std()) == pytest.approx((2 / (64 + 3 * 64)) ** 0.5, rel=0.03)


def test_what_reaches_attention_stays_dense() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        y = m.a(x).flatten(2).transpose(1, 2)
        return m.b(m.mixed(y, y, y)[0].mean(1))  # type: ignore[no-any-return]

    net = Net(forward, a=conv(3, 8), mixed=nn.MultiheadAttention(8, 2, batch_first=True), b=nn.Linear(8, 2))
    coupling = trace(net, (3, 4, 4))
    assert not coupling.groups
    assert ("a", "MultiheadAttention mixed is not understood") in coupling.kept
    assert coupling.activation_macs == 4 * 8 * 8 * 16 + 2 * 8 * 16 * 16  # projections, then products of activations
