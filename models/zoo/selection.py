"""Channel selection: a layer reads some channels of a stream that others read, too (Liu et al. 2017, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelSelection(nn.Module):
    """Passes on the channels that `index` names: [batch, channels, …] to [batch, len(index), …].

    A fresh one passes on all. The stream itself stays whole; what shrinks is the convolution that reads the selection.
    """

    index: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("index", torch.arange(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.index_select(x, 1, self.index)
