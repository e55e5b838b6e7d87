"""A layer kind: transposed convolutions of images, without groups."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from espalier.models.channels.call import Call
from espalier.models.channels.labels import Channels, NotUnderstood
from espalier.models.layers.base import Layer
from espalier.models.layers.draw import InitScheme, draw_normal, glorot, zero


def trace_transposed(call: Call) -> Channels:
    """New channels out; the weight is [in, out, height, width]."""
    layer, graph, labels = cast(nn.ConvTranspose2d, call.module), call.graph, call.labels(1)
    if layer.groups != 1:
        raise NotUnderstood(f"{call.name} works in groups")
    graph.count(call.name, layer.weight, call.first[0], layer.in_channels)
    graph.assign(layer.weight, 0, labels, "in")
    out = graph.labels.new(layer.out_channels)
    graph.assign(layer.weight, 1, out, "out")
    graph.assign(layer.bias, 0, out, "shift")
    return Channels(1, out)


def draw_transposed(layer: nn.ConvTranspose2d, generator: torch.Generator, scheme: InitScheme) -> None:
    """Glorot's deviation; biases are 0."""
    draw_normal(layer.weight, glorot(layer.weight), generator)
    zero(layer.bias)


def _resize(layer: nn.ConvTranspose2d) -> None:
    layer.in_channels, layer.out_channels = layer.weight.shape[:2]


TRANSPOSED = Layer(nn.ConvTranspose2d, trace_transposed, ("weight", "bias"), draw_transposed, _resize)
