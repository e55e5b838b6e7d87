"""PReLU: a slope for each channel, or one for all."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from espalier.models.channels.call import Call
from espalier.models.channels.labels import Channels
from espalier.models.layers.base import Layer, random_uniform
from espalier.models.layers.draw import InitScheme


def trace_prelu(call: Call) -> Channels:
    """Each channel by itself."""
    weight, labels = cast(nn.PReLU, call.module).weight, call.labels(1)
    if len(weight) > 1:
        call.graph.assign(weight, 0, labels, "other")
    return Channels(1, labels)


def draw_prelu(layer: nn.PReLU, generator: torch.Generator, scheme: InitScheme) -> None:
    """The slope that the layer was made with."""
    layer.weight.fill_(layer.init)


def _resize(layer: nn.PReLU) -> None:
    weight = layer._parameters.get("weight")
    if weight is not None:
        layer.num_parameters = len(weight)


def _randomise(layer: nn.PReLU, generator: torch.Generator) -> None:
    random_uniform(layer.weight, generator)


def _source(layer: nn.PReLU) -> str:
    return f"PReLU({layer.num_parameters}, init={layer.init})"


PRELU = Layer(nn.PReLU, trace_prelu, ("weight",), draw_prelu, _resize, _randomise, _source)
