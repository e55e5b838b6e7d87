"""Linear layers, over the last dimension."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from espalier.models.channels.call import Call
from espalier.models.channels.labels import Channels
from espalier.models.layers.base import Layer, random_normal
from espalier.models.layers.draw import InitScheme, draw_normal, glorot, zero


def trace_linear(call: Call) -> Channels:
    """New features out."""
    linear, graph, last = cast(nn.Linear, call.module), call.graph, call.output.dim() - 1
    labels = call.labels(last)
    graph.count(call.name, linear.weight, call.output, linear.out_features)
    graph.assign(linear.weight, 1, labels, "in")
    out = graph.labels.new(linear.out_features)
    graph.assign(linear.weight, 0, out, "out")
    graph.assign(linear.bias, 0, out, "shift")
    return Channels(last, out)


def draw_linear(layer: nn.Linear, generator: torch.Generator, scheme: InitScheme) -> None:
    """The scheme's deviation, or Glorot's; biases are 0."""
    deviation = glorot(layer.weight) if isinstance(scheme.linear, str) else scheme.linear
    draw_normal(layer.weight, deviation, generator)
    zero(layer.bias)


def _resize(layer: nn.Linear) -> None:
    weight = layer._parameters.get("weight")
    if weight is not None:
        layer.out_features, layer.in_features = weight.shape


def _randomise(layer: nn.Linear, generator: torch.Generator) -> None:
    random_normal(layer.weight, layer.in_features**-0.5, generator)
    random_normal(layer.bias, 0.5, generator)


LINEAR = Layer(nn.Linear, trace_linear, ("weight", "bias"), draw_linear, _resize, _randomise)
