"""The tensors of a network by name, and a cut of one of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from espalier.models.config import Slice


def named_tensors(net: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; a tensor shared by two layers stands under its first name.

    What `named_parameters` and `named_buffers` give, in one walk through the modules.
    """
    seen: set[int] = set()
    parameters: dict[str, Tensor] = {}
    buffers: dict[str, Tensor] = {}

    def visit(module: nn.Module, prefix: str) -> None:
        own: Mapping[str, Tensor | None]
        for found, own in ((parameters, module._parameters), (buffers, module._buffers)):
            for name, tensor in own.items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    found[prefix + name] = tensor
        for name, child in module._modules.items():
            if child is not None:
                visit(child, f"{prefix}{name}.")

    visit(net, "")
    return {**parameters, **buffers}


def precision_of(net: nn.Module) -> torch.dtype:
    """What kind of number a network computes with: that of its first weights."""
    return next((tensor.dtype for tensor in net.parameters() if tensor.is_floating_point()), torch.float32)


def state_of(net: nn.Module) -> dict[str, Tensor]:
    """What belongs into a file of weights: persistent tensors, one that layers share once, under its first name."""
    persistent = net.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in named_tensors(net).items() if name in persistent}


@torch.no_grad()
def fill(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy values into a network's tensors, by the names that `state_of` gives them."""
    own = state_of(net)
    for name, tensor in tensors.items():
        own[name].copy_(tensor)


def selected(tensor: Tensor, part: Slice, channels: Tensor, width: int) -> Tensor:
    """A tensor with these channels alone (int [n], in this order) of the `width` that one of its slices has."""
    size, end = tensor.shape[part.dim], part.start + part.repeat * width
    if size > width:  # there is more along this dimension, or blocks of several indices
        block = part.start + (channels[:, None] * part.repeat + torch.arange(part.repeat)).flatten()
        channels = torch.cat([torch.arange(part.start), block, torch.arange(end, size)])
    return tensor.index_select(part.dim, channels.to(tensor.device))
