"""Layer and group norm, whose statistics are over channels: what they read stays dense."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.layers.base import Layer, random_normal, random_uniform
from espalier.models.layers.batch_norm import draw_reset


def _randomise(layer: nn.LayerNorm | nn.GroupNorm, generator: torch.Generator) -> None:
    random_uniform(layer.weight, generator)
    random_normal(layer.bias, 0.5, generator)


LAYER_NORM = Layer(nn.LayerNorm, ("weight", "bias"), draw_reset, randomise=_randomise)
GROUP_NORM = Layer(nn.GroupNorm, ("weight", "bias"), draw_reset, randomise=_randomise)
