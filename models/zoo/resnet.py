"""Residual networks for small images: 6n + 2 layers, basic blocks, option-A shortcuts (He et al. 2016)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (16, 32, 64)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; where the resolution halves, the shortcut is pooled and padded with zero channels."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = stride > 1

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.downsample:
            x = F.avg_pool2d(x, 2, ceil_mode=True)
            x = F.pad(x, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))
        return F.relu(y + x)


class ResNet(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes]."""

    def __init__(self, depth: int, classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        assert (depth - 2) % 6 == 0
        channels = [max(1, round(base * width)) for base in CHANNELS]
        self.conv1 = nn.Conv2d(in_channels, channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        blocks: list[nn.Module] = []
        before = channels[0]
        for stage, count in enumerate(channels):
            for block in range((depth - 2) // 6):
                blocks.append(BasicBlock(before, count, stride=2 if stage and not block else 1))
                before = count
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.pool(self.blocks(x))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
