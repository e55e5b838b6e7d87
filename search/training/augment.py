"""What images go through on their way into a network. They come as bytes, and are augmented as batches.

Shapes: x [batch, channels, height, width].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.search.datasets.base import Data
from espalier.search.recipe import SMALL, Augmentation, Crop, Flip
from espalier.search.results import Execution
from espalier.search.training.precision import laid_out, moved


def augment(x: Tensor, operations: Sequence[Augmentation], generator: np.random.Generator) -> Tensor:
    """Bytes through every operation of a recipe, in its order."""
    for operation in operations:
        x = _OPERATIONS[type(operation)](x, operation, generator)
    return x


def _crop(x: Tensor, crop: Crop, generator: np.random.Generator) -> Tensor:
    count, _, height, width = x.shape
    edge = crop.pad
    windows = F.pad(x, (edge, edge, edge, edge)).unfold(2, height, 1).unfold(3, width, 1)
    top, left = moved(generator.integers(0, 2 * edge + 1, (2, count)), x.device)
    return windows[torch.arange(count, device=x.device), :, top, left]


def _flip(x: Tensor, _flip: Flip, generator: np.random.Generator) -> Tensor:
    mirrored = moved(generator.random(len(x)) < 0.5, x.device)
    return torch.where(mirrored[:, None, None, None], x.flip(3), x)


_OPERATIONS: dict[type, Callable[[Tensor, Any, np.random.Generator], Tensor]] = {Crop: _crop, Flip: _flip}


def normalise(x: Tensor, data: Data, execution: Execution) -> Tensor:
    """Bytes to floats with mean 0 and deviation 1 in each channel, in the network's memory layout."""
    mean, std = (moved(np.array(v, np.float32) * 255, x.device).view(1, -1, 1, 1) for v in (data.mean, data.std))
    return laid_out((x.float() - mean) / std, execution)


def shrink(x: Tensor) -> Tensor:
    """Images at `SMALL` of their edges, memory layout kept.

    Training begins on small images, which cost about half, and ends on whole ones (Tan & Le 2021, section 4).
    """
    edges = [round(SMALL * edge) for edge in x.shape[2:]]
    return F.interpolate(x, size=edges, mode="bilinear", antialias=True)


def takes_small(net: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether the network works on small images, too: one that ends in a flatten takes one size only."""
    parameter = next(net.parameters())
    try:
        with torch.inference_mode():
            net.eval()(shrink(torch.zeros(1, *shape, dtype=parameter.dtype, device=parameter.device)))
    except (RuntimeError, AssertionError):
        return False
    return True
