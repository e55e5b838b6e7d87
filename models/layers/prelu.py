"""PReLU: a slope for each channel, or one for all."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.layers.base import Layer, random_uniform
from espalier.models.layers.draw import InitScheme


def draw_prelu(layer: nn.PReLU, generator: torch.Generator, scheme: InitScheme) -> None:
    """The slope that the layer was made with."""
    layer.weight.fill_(layer.init)


def _resize(layer: nn.PReLU) -> None:
    weight = layer._parameters.get("weight")
    if weight is not None:
        vars(layer).update(num_parameters=weight.shape[0])


def _randomise(layer: nn.PReLU, generator: torch.Generator) -> None:
    random_uniform(layer.weight, generator)


def _source(layer: nn.PReLU) -> str:
    return f"PReLU({layer.num_parameters}, init={layer.init})"


PRELU = Layer(nn.PReLU, ("weight",), draw_prelu, _resize, _randomise, _source)
