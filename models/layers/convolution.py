"""Convolutions of images: plain, depthwise, and in groups."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn

from espalier.models.channels.call import Call
from espalier.models.channels.labels import Channels, NotUnderstood
from espalier.models.layers.base import Layer, random_normal
from espalier.models.layers.draw import InitScheme, draw_normal, glorot, zero


def trace_convolution(call: Call) -> Channels:
    """New channels out. Depthwise ones are their inputs'; in groups, the same places of every group are coupled."""
    conv, graph, labels = cast(nn.Conv2d, call.module), call.graph, call.labels(1)
    if call.output.dim() != 4:
        raise NotUnderstood(f"{call.name} has an input without batch")
    graph.count(call.name, conv.weight, call.output, conv.out_channels)
    if conv.groups == 1:
        graph.assign(conv.weight, 1, labels, "in")
        out = graph.labels.new(conv.out_channels)
    elif conv.groups == conv.in_channels:  # depthwise: output k * m + j reads input k alone
        multiplier = conv.out_channels // conv.in_channels
        out = labels if multiplier == 1 else [label for label in labels for _ in range(multiplier)]
    else:  # cut the same positions from every convolution group, so that they stay equal in size
        per_in, per_out = conv.in_channels // conv.groups, conv.out_channels // conv.groups
        inner, outer = labels[:per_in], graph.labels.new(per_out)
        for k in range(1, conv.groups):
            graph.labels.merge(inner, labels[k * per_in : (k + 1) * per_in])
        graph.assign(conv.weight, 1, inner, "in")
        out = outer * conv.groups
    graph.assign(conv.weight, 0, out, "out")
    graph.assign(conv.bias, 0, out, "shift")
    return Channels(1, out)


def draw_convolution(layer: nn.Conv2d, generator: torch.Generator, scheme: InitScheme) -> None:
    """He's or Glorot's deviation; biases are 0."""
    he = math.sqrt(2 / (layer.weight.shape[0] * layer.weight[0, 0].numel()))
    draw_normal(layer.weight, glorot(layer.weight) if scheme.convolution == "glorot" else he, generator)
    zero(layer.bias)


def _resize(layer: nn.Conv2d) -> None:
    weight = layer._parameters.get("weight")
    if weight is None:  # another one is computed from others, and is none of ours to cut
        return
    if layer.groups == layer.in_channels > 1:  # depthwise: as many convolution groups as channels
        layer.groups = weight.shape[0] // (layer.out_channels // layer.in_channels)
    layer.out_channels = weight.shape[0]
    layer.in_channels = weight.shape[1] * layer.groups


def _randomise(layer: nn.Conv2d, generator: torch.Generator) -> None:
    random_normal(layer.bias, 0.5, generator)


CONVOLUTION = Layer(nn.Conv2d, trace_convolution, ("weight", "bias"), draw_convolution, _resize, _randomise)
