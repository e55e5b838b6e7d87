"""Fresh weights for a network, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from espalier.models.errors import ArchitectureError
from espalier.models.layers import layer_of
from espalier.models.layers.draw import InitScheme
from espalier.models.tensors import named_tensors


@torch.no_grad()
def initialise(net: nn.Module, seed: int, scheme: InitScheme) -> None:
    """Draw new weights in place, deterministically by seed (the same on every device: drawn on the CPU)."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        layer = layer_of(module)
        if layer is not None and layer.draw is not None:
            layer.draw(module, generator, scheme)


def check_initialisable(net: nn.Module) -> None:
    """Raise ArchitectureError for a tensor that would be left as it lies in memory, or drawn though it is fixed."""
    if where := undrawn_on_meta(net):
        raise ArchitectureError(f"no rule to initialise {where}")
    for path, module, name, tensor in _own_tensors(net):
        if isinstance(tensor, nn.Parameter) and tensor.is_meta and not tensor.requires_grad:
            where = _where(path, module, name)
            raise ArchitectureError(f"{where} is fixed, but would be drawn anew; keep such values in a buffer")


def undrawn_on_meta(net: nn.Module) -> str:
    """Where the first tensor is that has no values, and that no rule fills; empty if there is none."""
    for path, module, name, tensor in _own_tensors(net):
        if tensor.is_meta and not is_drawn(module, name):
            return _where(path, module, name)
    return ""


def _own_tensors(net: nn.Module) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
    """Every module's tensors: its path, the module, the tensor's name there, and the tensor."""
    for path, module in net.named_modules():
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None:
                yield path, module, name, tensor


def _where(path: str, module: nn.Module, name: str) -> str:
    return f"{name!r} of {type(module).__name__} {path!r}"


def drawn(net: nn.Module) -> dict[str, Tensor]:
    """The tensors that layers' rules fill, by name."""
    filled = {id(tensor) for _path, module, name, tensor in _own_tensors(net) if is_drawn(module, name)}
    return {name: tensor for name, tensor in named_tensors(net).items() if id(tensor) in filled}


def is_drawn(module: nn.Module, name: str) -> bool:
    """Whether a tensor of a module is one that its layer's rule fills."""
    layer = layer_of(module)
    return layer is not None and name in layer.drawn
