"""Fresh weights for a network, as in the papers' code (Liu et al. 2017 and 2019; Frankle & Carbin 2019)."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from espalier.models.errors import ArchitectureError
from torch import Tensor, nn


class Weights(NamedTuple):
    """How an architecture's fresh weights are drawn; biases and shifts are 0."""

    gamma: float = 1.0
    """Scale of batch norms: 0.5 for slimming's networks."""
    convolution: Literal["fan_out", "glorot"] = "fan_out"
    """N(0, 2 / fan_out) with fan_out = kernel elements x output channels; or Glorot's normal distribution."""
    linear: float | Literal["glorot"] = 0.01
    """Standard deviation, or Glorot's normal distribution."""


_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)
COVERED = (nn.Conv2d, nn.Linear, nn.MultiheadAttention, nn.PReLU, *_NORMS)
"""Layers that have a rule here."""
DRAWN = frozenset(
    ("weight", "bias", "running_mean", "running_var", "num_batches_tracked", "in_proj_weight", "in_proj_bias",
     "q_proj_weight", "k_proj_weight", "v_proj_weight", "bias_k", "bias_v")
)  # fmt: skip
"""Tensors of theirs that the rules fill. Every other tensor has the values that its module's constructor gives it."""


def initialise(net: nn.Module, seed: int, weights: Weights) -> None:
    """Draw new weights in place, deterministically by seed (the same on every device: drawn on the CPU)."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        _initialise_module(module, generator, weights)


def check_initialisable(net: nn.Module) -> None:
    """Raise ArchitectureError for a tensor that would be left as it lies in memory, or drawn though it is fixed."""
    for path, module in net.named_modules():
        for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is None or not tensor.is_meta:
                continue
            where = f"{name!r} of {type(module).__name__} {path!r}"
            if not isinstance(module, COVERED):
                raise ArchitectureError(f"no rule to initialise {where}")
            if isinstance(tensor, nn.Parameter) and not tensor.requires_grad:
                raise ArchitectureError(f"{where} is fixed, but would be drawn anew; keep such values in a buffer")


@torch.no_grad()
def _initialise_module(module: nn.Module, generator: torch.Generator, weights: Weights) -> None:
    if isinstance(module, nn.Conv2d):
        fan_out = module.weight.shape[0] * module.weight[0, 0].numel()
        he = math.sqrt(2 / fan_out)
        _draw(module.weight, _glorot(module.weight) if weights.convolution == "glorot" else he, generator)
        _zero(module.bias)
    elif isinstance(module, nn.Linear):
        _draw(module.weight, _glorot(module.weight) if weights.linear == "glorot" else weights.linear, generator)
        _zero(module.bias)
    elif isinstance(module, nn.MultiheadAttention):  # its output layer is a linear one and comes by itself
        for weight in (module.in_proj_weight, module.q_proj_weight, module.k_proj_weight, module.v_proj_weight):
            if weight is not None:
                _draw(weight, _glorot(weight), generator)
        for bias in (module.in_proj_bias, module.bias_k, module.bias_v):
            _zero(bias)
    elif isinstance(module, nn.PReLU):
        module.weight.fill_(module.init)
    elif isinstance(module, _NORMS):
        module.reset_parameters()
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.weight is not None:
            module.weight.fill_(weights.gamma)


def _draw(tensor: Tensor, deviation: float, generator: torch.Generator) -> None:
    tensor.copy_(torch.empty(tensor.shape, dtype=tensor.dtype).normal_(0, deviation, generator=generator))


def _glorot(weight: Tensor) -> float:
    """Deviation of Glorot & Bengio 2010, equation 12."""
    kernel = weight[0, 0].numel() if weight.dim() > 2 else 1
    return math.sqrt(2 / (kernel * (weight.shape[0] + weight.shape[1])))


def _zero(tensor: Tensor | None) -> None:
    if tensor is not None:
        tensor.zero_()
