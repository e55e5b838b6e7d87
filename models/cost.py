"""The receipt: what a network costs, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from espalier.models.config import ChannelConfig, Cost, LayerCost
from espalier.models.network import Network
from espalier.models.tracing.coupling import Coupling


def cost(config: ChannelConfig) -> Cost:
    """Parameters and multiply-adds for one input. Allocates nothing. Raises ConfigError."""
    return Network.of(config).cost


def receipt(config: ChannelConfig) -> list[LayerCost]:
    """Every layer that has parameters, in the order of the network's modules; the columns sum to `cost`.

    Multiply-adds of no single layer, such as attention's, are a row of their own at the end.
    """
    network = Network.of(config)
    rows = [
        _row(name, module, network.coupling)
        for name, module in network.on_meta().named_modules()
        if any(True for _ in _own(name, module, network.coupling.fixed))
    ]
    other = network.coupling.activation_macs
    return [*rows, LayerCost(layer="", type="products of activations", macs=other)] if other else rows


def _own(name: str, module: nn.Module, fixed: frozenset[str]) -> Iterator[tuple[str, Tensor]]:
    """A layer's parameters and fixed weights, by name."""
    yield from module.named_parameters(prefix=name, recurse=False)
    yield from ((path, buffer) for path, buffer in module.named_buffers(prefix=name, recurse=False) if path in fixed)


def _row(name: str, module: nn.Module, coupling: Coupling) -> LayerCost:
    own = dict(_own(name, module, coupling.fixed))
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
        params=sum(weight.numel() for path, weight in own.items() if path not in coupling.fixed),
        macs=sum(weight.numel() * coupling.macs_per_weight.get(path, 0) for path, weight in own.items()),
    )
