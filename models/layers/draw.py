"""How fresh weights are drawn, as in the papers' code (Liu et al. 2017 and 2019; Frankle & Carbin 2019).

An exported Python file has the source of this module in it, so it needs nothing but torch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class InitScheme(NamedTuple):
    """How an architecture's fresh weights are drawn; biases and shifts are 0."""

    gamma: float = 1.0
    """Scale of batch norms: 0.5 for slimming's networks."""
    convolution: str = "fan_out"
    """'fan_out': N(0, 2 / fan_out) with fan_out = kernel elements x output channels; 'glorot': Glorot's normal."""
    linear: float | str = 0.01
    """Standard deviation; 'glorot'; or 'fan_in': that of torch's own default, 1 / sqrt(3 x inputs)."""


def draw_normal(tensor: Tensor, deviation: float, generator: torch.Generator) -> None:
    """Fill with N(0, deviation^2); drawn on the CPU, so that it is the same on every device."""
    tensor.copy_(torch.empty(tensor.shape, dtype=tensor.dtype).normal_(0, deviation, generator=generator))


def glorot(weight: Tensor) -> float:
    """Deviation of Glorot & Bengio 2010, equation 12."""
    kernel = weight[0, 0].numel() if weight.dim() > 2 else 1
    return math.sqrt(2 / (kernel * (weight.shape[0] + weight.shape[1])))


def zero(*tensors: Tensor | None) -> None:
    """Fill with zeros what there is."""
    for tensor in tensors:
        if tensor is not None:
            tensor.zero_()
