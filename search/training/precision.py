"""Where and in which numbers a network is computed."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from espalier.search.results import Execution


def settle(execution: Execution) -> None:
    """Make this process compute as it must, and the same again."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or sums on a GPU come in any order
    torch.set_num_threads(execution.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing reads it
    torch.backends.cudnn.allow_tf32 = False  # float32 would be 10 bits short of its name


def place(net: nn.Module, execution: Execution) -> nn.Module:
    """Move a network, in place, to the device and memory layout it is computed in."""
    return net.to(execution.device).to(memory_format=memory_format(execution))


def moved(array: np.ndarray[Any, Any], device: torch.device | str) -> Tensor:
    """An array as a tensor on a device; a GPU fetches it while it still does what it was told before."""
    x = torch.from_numpy(array)
    return x if torch.device(device).type == "cpu" else x.pin_memory().to(device, non_blocking=True)


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
