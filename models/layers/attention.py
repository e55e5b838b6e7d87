"""Multi-head attention: drawn and written down, but not cut, since torch ties the number of heads to the stream."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.layers.base import Layer, random_normal
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


def _randomise(layer: nn.MultiheadAttention, generator: torch.Generator) -> None:
    for bias in (layer.in_proj_bias, layer.bias_k, layer.bias_v):
        random_normal(bias, 0.5, generator)


def _source(layer: nn.MultiheadAttention) -> str:
    words = {
        "dropout": layer.dropout,
        "bias": layer.in_proj_bias is not None,
        "add_bias_kv": layer.bias_k is not None,
        "add_zero_attn": layer.add_zero_attn,
        "kdim": layer.kdim,
        "vdim": layer.vdim,
        "batch_first": layer.batch_first,
    }
    rest = ", ".join(f"{name}={value}" for name, value in words.items())
    return f"MultiheadAttention({layer.embed_dim}, {layer.num_heads}, {rest})"


ATTENTION = Layer(nn.MultiheadAttention, DRAWN, draw_attention, randomise=_randomise, source=_source)
