"""Linear layers, over the last dimension."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.layers.base import Layer, random_normal
from espalier.models.layers.draw import InitScheme, draw_normal, glorot, zero


def draw_linear(layer: nn.Linear, generator: torch.Generator, scheme: InitScheme) -> None:
    """The scheme's deviation, Glorot's, or that of torch's default; biases are 0."""
    named = {"glorot": glorot(layer.weight), "fan_in": (3 * layer.weight.shape[1]) ** -0.5}
    deviation = named[scheme.linear] if isinstance(scheme.linear, str) else scheme.linear
    draw_normal(layer.weight, deviation, generator)
    zero(layer.bias)


def _resize(layer: nn.Linear) -> None:
    weight = layer._parameters.get("weight")
    if weight is not None:
        vars(layer).update(out_features=weight.shape[0], in_features=weight.shape[1])


def _randomise(layer: nn.Linear, generator: torch.Generator) -> None:
    random_normal(layer.weight, layer.in_features**-0.5, generator)
    random_normal(layer.bias, 0.5, generator)


LINEAR = Layer(nn.Linear, ("weight", "bias"), draw_linear, _resize, _randomise)
