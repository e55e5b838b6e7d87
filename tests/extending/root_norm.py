"""A layer kind: norms by the root of the mean square (Zhang & Sennrich 2019)."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.layers.base import Layer, random_uniform
from espalier.models.layers.draw import InitScheme


def draw_root_norm(layer: nn.RMSNorm, generator: torch.Generator, scheme: InitScheme) -> None:  # noqa: ARG001
    """Scale 1."""
    if layer.weight is not None:
        layer.weight.fill_(1)


def _randomise(layer: nn.RMSNorm, generator: torch.Generator) -> None:
    random_uniform(layer.weight, generator)


ROOT_NORM = Layer(nn.RMSNorm, ("weight",), draw_root_norm, randomise=_randomise)
