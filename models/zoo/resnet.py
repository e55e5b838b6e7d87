"""Residual networks for small images: 6n + 2 layers, basic blocks, option-A shortcuts (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.zoo.stages import Staged, layout

CHANNELS = (16, 32, 64)


class Shortcut(nn.Module):
    """Option A: halves the resolution by pooling; the sum adds the missing channels as zeros. Has no parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2, ceil_mode=True)


def _padded(x: Tensor, channels: int) -> Tensor:
    """`x` [batch, fewer, height, width] with channels of zeros behind its own."""
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; where the resolution halves, the shortcut is pooled and padded with zero channels."""

    def __init__(self, in_channels: int, channels: int, downsamples: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=2 if downsamples else 1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.pool = Shortcut() if downsamples else None
        self.widens = in_channels != channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.pool is not None:
            x = self.pool(x)
        if self.widens:
            x = _padded(x, y.shape[1])
        return F.relu(y + x)


class ResNet(Staged):
    """See `stages.Staged`.

    `blocks` is the number of residual branches in each of the three stages; stages in `bare` begin with their shortcut
    alone (see `stages.layout`).
    """

    def __init__(
        self, blocks: Sequence[int], classes: int, in_channels: int, width: float = 1.0, bare: Collection[int] = ()
    ) -> None:
        channels = [max(1, round(base * width)) for base in CHANNELS]
        layers: list[nn.Module] = []
        before = channels[0]
        for stage, downsamples, branch in layout(blocks, bare):
            if branch:
                layers.append(BasicBlock(before, channels[stage], downsamples))
                before = channels[stage]
            elif downsamples:  # the next branch widens what this passes on
                layers.append(Shortcut())
        super().__init__(in_channels, channels[0], layers, before, classes)
