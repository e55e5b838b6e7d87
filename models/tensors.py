"""Copies of a network with other tensors in it. Knows which attributes of a layer follow from its tensors' shapes."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from models.config import Slice


@contextmanager
def without_memory(kinds: tuple[type[nn.Module], ...], attributes: Collection[str]) -> Iterator[None]:
    """Layers of these kinds that are made meanwhile hold no memory: their tensors of these names are moved to the meta
    device as they are registered, before anything is written into them. Everything else is made as it is."""

    def moved(module: nn.Module, name: str, tensor: Tensor | None) -> Tensor | None:
        if tensor is None or tensor.is_meta or not isinstance(module, kinds) or name not in attributes:
            return tensor  # on the meta device already: a tensor that two layers share stays one
        bare = torch.empty_like(tensor, device="meta")
        return nn.Parameter(bare, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else bare

    hook = cast(Callable[..., None], moved)  # what it gives replaces the tensor, but torch's annotation says None
    handles = [register_module_parameter_registration_hook(hook), register_module_buffer_registration_hook(hook)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def with_memory(net: nn.Module) -> nn.Module:
    """A copy in which what lies on the meta device has memory, not yet filled; the rest is copied."""
    bare = {name: tensor for name, tensor in named_tensors(net).items() if tensor.is_meta}
    return with_tensors(net, {name: torch.empty_like(tensor, device="cpu") for name, tensor in bare.items()})


def named_tensors(net: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; a tensor shared by two layers stands under its first name."""
    return {**dict(net.named_parameters()), **dict(net.named_buffers())}


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


def selected(tensor: Tensor, part: Slice, kept: Tensor) -> Tensor:
    """A tensor without those channels of one of its slices that are not kept (bool [channels])."""
    keep = torch.ones(tensor.shape[part.dim], dtype=torch.bool)
    keep[part.start : part.start + part.repeat * len(kept)] = kept.repeat_interleave(part.repeat)
    return tensor.index_select(part.dim, keep.nonzero().flatten().to(tensor.device))


def with_tensors(net: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy of a network with some of its tensors replaced, by name; the replaced ones are never copied.

    Layers are told the new channel counts, so that the copy runs and prints as what it is.
    """
    memo: dict[int, Any] = {}
    for name, old in named_tensors(net).items():
        if name in tensors:
            new = tensors[name].detach()
            memo[id(old)] = nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
    result = _copied(net, memo)
    for module in result.modules():
        _refresh(module)
    return result


_IMMUTABLE = (int, float, str, type(None))


def _copied(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """What `copy.deepcopy(module, memo)` gives, without its walk through every module's many empty dictionaries."""
    if id(module) in memo:
        return cast(nn.Module, memo[id(module)])
    if hasattr(module, "__deepcopy__"):
        return copy.deepcopy(module, memo)
    result: nn.Module = type(module).__new__(type(module))
    memo[id(module)] = result
    for name, value in vars(module).items():
        if name == "_modules":
            new: Any = {key: None if child is None else _copied(child, memo) for key, child in value.items()}
        elif isinstance(value, _IMMUTABLE) or (type(value) is tuple and all(isinstance(v, _IMMUTABLE) for v in value)):
            new = value
        elif type(value) in (dict, OrderedDict) and not value:
            new = type(value)()
        else:
            new = copy.deepcopy(value, memo)
        result.__dict__[name] = new
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
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)):
        one = module.weight if module.weight is not None else module.running_mean
        if one is not None:
            module.num_features = one.shape[0]
