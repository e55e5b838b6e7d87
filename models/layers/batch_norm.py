"""Batch norms, and instance norms of images: each channel by itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from espalier.models.layers.base import Layer, printed, random_normal, random_uniform
from espalier.models.layers.draw import InitScheme

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def draw_batch_norm(layer: nn.BatchNorm2d, generator: torch.Generator, scheme: InitScheme) -> None:
    """The scheme's scale, no shift, statistics of nothing seen yet."""
    layer.reset_parameters()
    if layer.weight is not None:
        layer.weight.fill_(scheme.gamma)


def draw_reset(layer: Any, generator: torch.Generator, scheme: InitScheme) -> None:
    """What torch begins with: scale 1, shift 0."""
    layer.reset_parameters()


def _resize(layer: Any) -> None:
    one = layer._parameters.get("weight")
    one = layer._buffers.get("running_mean") if one is None else one
    if one is not None:
        vars(layer).update(num_features=one.shape[0])


def _randomise(layer: Any, generator: torch.Generator) -> None:
    random_normal(layer.running_mean, 0.5, generator)
    random_uniform(layer.running_var, generator)
    random_uniform(layer.weight, generator)
    random_normal(layer.bias, 0.5, generator)


def _source(layer: nn.Module) -> str:
    """Without an argument that older releases of torch do not know."""
    return printed(layer).replace("affine=True, bias=True", "affine=True")


BATCH_NORMS = tuple(
    Layer(kind, ("weight", "bias", *STATISTICS), draw_batch_norm, _resize, _randomise, _source)
    for kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
)
INSTANCE_NORMS = tuple(
    Layer(kind, ("weight", "bias", *STATISTICS), draw_reset, _resize, _randomise, _source)
    for kind in (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
)
