"""Convolutions, plain, depthwise and in groups, and transposed ones.

A class of convolutions that says `whole_groups = True` is cut by groups, and not within each.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from espalier.models.layers.base import Layer, random_normal
from espalier.models.layers.draw import InitScheme, draw_normal, glorot, zero


def draw_convolution(layer: Any, generator: torch.Generator, scheme: InitScheme) -> None:
    """He's or Glorot's deviation; biases are 0."""
    he = math.sqrt(2 / (layer.out_channels * layer.weight[0, 0].numel()))
    draw_normal(layer.weight, glorot(layer.weight) if scheme.convolution == "glorot" else he, generator)
    zero(layer.bias)


def _resize(layer: Any) -> None:
    weight = layer._parameters.get("weight")
    if weight is None:  # another one is computed from others, and is none of ours to cut
        return
    given, made = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    if given == 1 < layer.groups or getattr(layer, "whole_groups", False):  # as many groups as there is room for
        groups = weight.shape[0] // (given if layer.transposed else made)
        vars(layer).update(groups=groups, in_channels=groups * given, out_channels=groups * made)
    elif layer.transposed:
        vars(layer).update(in_channels=weight.shape[0], out_channels=weight.shape[1] * layer.groups)
    else:
        vars(layer).update(in_channels=weight.shape[1] * layer.groups, out_channels=weight.shape[0])


def _randomise(layer: Any, generator: torch.Generator) -> None:
    random_normal(layer.bias, 0.5, generator)


CONVOLUTIONS = tuple(
    Layer(kind, ("weight", "bias"), draw_convolution, _resize, _randomise)
    for kind in (
        nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    )
)  # fmt: skip
