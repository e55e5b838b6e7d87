"""What a network costs, from its config alone; and the receipt, layer by layer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from models.config import ChannelConfig, Cost
from models.registry import blueprint, skeleton, validate


def cost(config: ChannelConfig) -> Cost:
    """Parameters and multiply-adds for one input. Allocates nothing. Raises ConfigError."""
    validate(config)
    return blueprint(config).coupling.cost(config.widths)


class LayerCost(NamedTuple):
    """One row of the receipt."""

    layer: str
    type: str
    inputs: int
    outputs: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    groups: int
    params: int
    macs: int


def receipt(config: ChannelConfig) -> list[LayerCost]:
    """Every layer that has parameters, in the order of the network's modules; the columns sum to `cost`."""
    net, uses = skeleton(config), blueprint(config).coupling.uses
    return [
        _row(name, module, uses.get(f"{name}.weight", 0))
        for name, module in net.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]


def _row(name: str, module: nn.Module, uses: int) -> LayerCost:
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    kernel = tuple(weight.shape[2:])
    return LayerCost(
        layer=name,
        type=type(module).__name__,
        inputs=int(getattr(module, "in_channels", weight.shape[-1 if weight.dim() == 2 else 0])),
        outputs=int(weight.shape[0]),
        kernel=kernel,
        stride=tuple(module.stride) if isinstance(module, nn.Conv2d) else (),
        groups=module.groups if isinstance(module, nn.Conv2d) else 1,
        params=sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        macs=weight.numel() * uses,
    )
