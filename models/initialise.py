"""Fresh weights for a network, as in the papers' code (`methods.md`'s sources: Liu et al. 2017 and 2019)."""

from __future__ import annotations

import torch
from torch import nn

from models.errors import ArchitectureError

_COVERED = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)


def initialise(net: nn.Module, seed: int, gamma: float) -> None:
    """Draw new weights in place, deterministically by seed (the same on every device: drawn on the CPU).

    Convolutions N(0, 2 / fan_out) with fan_out = kernel elements x output channels, linear layers N(0, 0.01^2),
    biases 0, batch-norm scale `gamma` (0.5 for slimming's networks, else 1), shift 0, statistics reset.
    Raises ArchitectureError for a layer that no rule covers, rather than leaving memory as it was.
    """
    check_initialisable(net)
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        _initialise_module(module, generator, gamma)


def check_initialisable(net: nn.Module) -> None:
    """Raise ArchitectureError for a layer with tensors that no rule of `initialise` covers."""
    for name, module in net.named_modules():
        own = [*module._parameters, *module._buffers]
        if own and not isinstance(module, _COVERED):
            raise ArchitectureError(
                f"no rule to initialise {', '.join(own)} of {type(module).__name__} {name!r}; "
                "there are rules for convolutions, linear layers and batch norms"
            )


@torch.no_grad()
def _initialise_module(module: nn.Module, generator: torch.Generator, gamma: float) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        weight = module.weight
        fan_out = weight.shape[0] * weight[0, 0].numel()
        deviation = (2.0 / fan_out) ** 0.5 if isinstance(module, nn.Conv2d) else 0.01
        weight.copy_(torch.empty(weight.shape, dtype=weight.dtype).normal_(0, deviation, generator=generator))
        if module.bias is not None:
            module.bias.zero_()
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        module.reset_parameters()
        if module.weight is not None:
            module.weight.fill_(gamma)
