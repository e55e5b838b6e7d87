"""Copies of a network with other tensors in it. Knows which attributes of a layer follow from its tensors' shapes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def named_tensors(net: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; a tensor shared by two layers stands under its first name."""
    return {**dict(net.named_parameters()), **dict(net.named_buffers())}


def with_tensors(net: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy of a network with some of its tensors replaced, by name; the replaced ones are never copied.

    Layers are told the new channel counts, so that the copy runs and prints as what it is.
    """
    memo: dict[int, Any] = {}
    for name, old in named_tensors(net).items():
        if name in tensors:
            new = tensors[name].detach()
            memo[id(old)] = nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
    result = copy.deepcopy(net, memo)
    for module in result.modules():
        _refresh(module)
    return result


def on_meta(net: nn.Module) -> nn.Module:
    """A structural copy of a network whose tensors hold no memory."""
    return with_tensors(
        net, {name: torch.empty_like(tensor, device="meta") for name, tensor in named_tensors(net).items()}
    )


def _refresh(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        if module.groups == module.in_channels > 1:  # depthwise: as many convolution groups as channels
            module.groups = module.weight.shape[0] // (module.out_channels // module.in_channels)
        module.out_channels = module.weight.shape[0]
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.weight is not None:
        module.num_features = module.weight.shape[0]
