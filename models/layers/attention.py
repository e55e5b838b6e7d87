"""Multi-head attention: drawn and written down, but not cut, since torch ties the number of heads to the stream."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.layers.base import Layer
from espalier.models.layers.draw import InitScheme, draw_normal, glorot, zero

DRAWN = (
    "in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight", "bias_k", "bias_v",
)  # fmt: skip


def draw_attention(layer: nn.MultiheadAttention, generator: torch.Generator, scheme: InitScheme) -> None:
    """Glorot's deviation; the output layer is a linear one and comes by itself."""
    for weight in (layer.in_proj_weight, layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight):
        if weight is not None:
            draw_normal(weight, glorot(weight), generator)
    zero(layer.in_proj_bias, layer.bias_k, layer.bias_v)


def _source(layer: nn.MultiheadAttention) -> str:
    first = layer.batch_first
    return f"MultiheadAttention({layer.embed_dim}, {layer.num_heads}, {layer.dropout}, batch_first={first})"


ATTENTION = Layer(nn.MultiheadAttention, None, DRAWN, draw_attention, source=_source)
