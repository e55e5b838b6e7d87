"""Fresh weights for a network, layer by layer."""

from __future__ import annotations

import torch
from torch import nn

from espalier.models.errors import ArchitectureError
from espalier.models.layers import layer_of
from espalier.models.layers.draw import InitScheme


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
    for path, module in net.named_modules():
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is None or not tensor.is_meta:
                continue
            where = f"{name!r} of {type(module).__name__} {path!r}"
            if not is_drawn(module, name):
                raise ArchitectureError(f"no rule to initialise {where}")
            if isinstance(tensor, nn.Parameter) and not tensor.requires_grad:
                raise ArchitectureError(f"{where} is fixed, but would be drawn anew; keep such values in a buffer")


def is_drawn(module: nn.Module, name: str) -> bool:
    """Whether a tensor of a module is one that its layer's rule fills."""
    layer = layer_of(module)
    return layer is not None and name in layer.drawn
