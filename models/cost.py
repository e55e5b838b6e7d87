"""The receipt: what a network costs, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from espalier.models.config import ChannelConfig, Cost, LayerCost
from espalier.models.network import Network


def cost(config: ChannelConfig) -> Cost:
    """Parameters and multiply-adds for one input. Allocates nothing. Raises ConfigError."""
    return Network.of(config).cost


def receipt(config: ChannelConfig) -> list[LayerCost]:
    """Every layer that has parameters, in the order of the network's modules; the columns sum to `cost`.

    Multiply-adds of no single layer, such as attention's, are a row of their own at the end.
    """
    network = Network.of(config)
    rows = [
        _row(name, module, network.coupling.macs_per_weight)
        for name, module in network.on_meta().named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    other = network.coupling.activation_macs
    return [*rows, LayerCost(layer="", type="products of activations", macs=other)] if other else rows


def _row(name: str, module: nn.Module, macs_per_weight: Mapping[str, int]) -> LayerCost:
    own = dict(module.named_parameters(prefix=name, recurse=False))
    weight = getattr(module, "weight", None)
    shape = tuple(weight.shape) if isinstance(weight, torch.Tensor) else (0,)
    return LayerCost(
        layer=name,
        type=type(module).__name__,
        inputs=int(getattr(module, "in_channels", shape[-1 if len(shape) == 2 else 0])),
        outputs=shape[0],
        kernel=shape[2:],
        stride=tuple(module.stride) if isinstance(module, nn.Conv2d) else (),
        groups=module.groups if isinstance(module, nn.Conv2d) else 1,
        params=sum(parameter.numel() for parameter in own.values()),
        macs=sum(parameter.numel() * macs_per_weight.get(tensor, 0) for tensor, parameter in own.items()),
    )
