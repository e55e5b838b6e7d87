"""Copies of a network with other tensors in it, or without memory for them."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.nn.parameter import is_lazy

from espalier.models.errors import ArchitectureError
from espalier.models.layers import follow_tensors
from espalier.models.tensors import named_tensors


@contextmanager
def without_memory(is_drawn: Callable[[nn.Module, str], bool]) -> Iterator[None]:
    """Tensors that layers register meanwhile and that are drawn later hold no memory: they are moved to the meta device
    before anything is written into them. Everything else is made as it is."""

    def moved(module: nn.Module, name: str, tensor: Tensor | None) -> Tensor | None:
        if tensor is None or tensor.is_meta or not is_drawn(module, name):
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


def with_tensors(net: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy of a network with some of its tensors replaced, by name; the replaced ones are never copied.

    Layers are told the new channel counts, so that the copy runs and prints as what it is.
    Raises ArchitectureError when the network holds what cannot be copied.
    """
    result = _copy(net, _replacements(named_tensors(net), tensors))
    for module in result.modules():
        follow_tensors(module)
    return result


def tell(net: nn.Module, numbers: Mapping[tuple[str, str, int | None], int]) -> None:
    """Set numbers that modules keep: (module, attribute, place in a tuple or list if it is one) -> number."""
    for (module, name, place), number in numbers.items():
        own = vars(net.get_submodule(module))
        if place is None:
            own[name] = number
        else:  # another tuple or list, since modules may share one
            own[name] = type(own[name])(number if at == place else one for at, one in enumerate(own[name]))


def replace(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Replace some of a network's tensors, by name, in the network itself."""
    replace_in([*net.modules()], named_tensors(net), tensors)


def replace_in(modules: Iterable[nn.Module], named: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """The same for who replaces again and again, and knows the modules and named tensors of a network."""
    new = _replacements(named, tensors)
    for module in modules:
        own: dict[str, Any]
        for own in (module._parameters, module._buffers):
            if own:
                own.update({name: new[id(old)] for name, old in own.items() if id(old) in new})
        follow_tensors(module)


def _replacements(named: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[int, Any]:
    """What stands in for a network's tensors, by the old one's identity; a parameter's place takes a parameter."""
    new: dict[int, Any] = {}
    for name, tensor in tensors.items():
        if (old := named.get(name)) is not None:
            bare = tensor.detach()
            new[id(old)] = nn.Parameter(bare, old.requires_grad) if isinstance(old, nn.Parameter) else bare
    return new


def _copy(net: nn.Module, memo: dict[int, Any]) -> nn.Module:
    try:
        return _copied(net, memo)
    except Exception as error:  # whatever somebody's own attributes may raise
        raise ArchitectureError(f"{type(net).__name__} holds what cannot be copied: {error}") from error


_SHARED = {bool, int, float, str, type(None)}


_EMPTY = {dict, OrderedDict, set}


def _copied(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """What `copy.deepcopy(module, memo)` gives, without its walk through every module's many empty containers."""
    if id(module) in memo:
        return cast(nn.Module, memo[id(module)])
    if hasattr(module, "__deepcopy__") or type(module).__getstate__ is not nn.Module.__getstate__:
        return copy.deepcopy(module, memo)
    result: nn.Module = type(module).__new__(type(module))
    memo[id(module)] = result
    for name, value in vars(module).items():
        kind = type(value)
        if kind in _SHARED or (kind is tuple and _SHARED.issuperset(map(type, value))):
            new = value
        elif kind in _EMPTY and not value:
            new = memo.setdefault(id(value), kind())  # layers may share one
        elif name == "_modules":
            new = {key: None if child is None else _copied(child, memo) for key, child in value.items()}
        elif name in ("_parameters", "_buffers"):
            new = {key: memo[id(t)] if id(t) in memo else copy.deepcopy(t, memo) for key, t in value.items()}
        elif isinstance(value, Tensor) and value.grad_fn is not None:  # kept from a forward pass
            new = value.detach().clone()
        else:
            new = copy.deepcopy(value, memo)
        result.__dict__[name] = new
    return result


def on_meta(net: nn.Module) -> nn.Module:
    """A structural copy of a network whose tensors hold no memory. Raises ArchitectureError where one has no shape."""
    named = named_tensors(net)
    if lazy := next((name for name, tensor in named.items() if is_lazy(tensor)), None):
        raise ArchitectureError(f"the shape of {lazy} is not known before it has run once")
    return _copy(net, _replacements(named, {name: torch.empty_like(t, device="meta") for name, t in named.items()}))
