"""Where and in which numbers a network is computed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from espalier.search.results import Execution


def place(net: nn.Module, execution: Execution) -> nn.Module:
    """Move a network, in place, to the device and memory layout it is computed in."""
    return net.to(execution.device).to(memory_format=memory_format(execution))


def laid_out(x: Tensor, execution: Execution) -> Tensor:
    """Inputs in the network's memory layout; only images [batch, channels, height, width] have one."""
    return x.contiguous(memory_format=memory_format(execution)) if x.dim() == 4 else x.contiguous()


def memory_format(execution: Execution) -> torch.memory_format:
    """The memory layout of images and of what convolutions make of them."""
    return torch.channels_last if execution.channels_last else torch.contiguous_format


def autocast(execution: Execution) -> torch.autocast:
    """The context in which the forward pass runs."""
    device = torch.device(execution.device).type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=execution.precision == "bfloat16")
