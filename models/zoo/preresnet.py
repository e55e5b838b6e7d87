"""Pre-activation residual networks for small images: 9n + 2 layers, bottlenecks, channel selection (He et al. 2016b).

Each batch norm that reads the shared stream is followed by a channel selection (Liu et al. 2017), so that every block
can read fewer of the stream's channels while the stream itself stays whole.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.zoo.selection import ChannelSelection
from espalier.models.zoo.stages import layout

CHANNELS = (16, 32, 64)
EXPANSION = 4


class Bottleneck(nn.Module):
    """Normalise, select, 1x1, 3x3, 1x1; where channels or resolution change, the shortcut is a 1x1 convolution."""

    def __init__(self, before: int, channels: int, after: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.select = ChannelSelection(before)
        self.conv1 = nn.Conv2d(before, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, after, 1, bias=False)
        changes = stride > 1 or before != after
        self.downsample = nn.Conv2d(before, after, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv1(F.relu(self.select(self.bn1(x))))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        if self.downsample is not None:
            x = self.downsample(x)
        return y + x


class PreResNet(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes].

    `blocks` is the number of residual branches in each of the three stages; stages in `bare` begin with their shortcut
    alone (see `stages.layout`).
    """

    def __init__(
        self, blocks: Sequence[int], classes: int, in_channels: int, width: float = 1.0, bare: Collection[int] = ()
    ) -> None:
        super().__init__()
        channels = [max(1, round(base * width)) for base in CHANNELS]
        before = channels[0]
        self.conv1 = nn.Conv2d(in_channels, before, 3, padding=1, bias=False)
        layers: list[nn.Module] = []
        for stage, downsamples, branch in layout(blocks, bare):
            after, stride = EXPANSION * channels[stage], 2 if downsamples else 1
            if branch:
                layers.append(Bottleneck(before, channels[stage], after, stride))
            else:
                layers.append(nn.Conv2d(before, after, 1, stride, bias=False))
            before = after
        self.blocks = nn.Sequential(*layers)
        self.bn = nn.BatchNorm2d(before)
        self.select = ChannelSelection(before)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.select(self.bn(self.blocks(self.conv1(x)))))
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits
