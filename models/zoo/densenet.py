"""Densely connected networks for small images, with channel selection (Huang et al. 2017; Liu et al. 2017).

Every batch norm that reads the growing stream is followed by a channel selection: layers read fewer of the channels
before them, while growth and transitions stay as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.zoo.selection import ChannelSelection

BOTTLENECK = 4
"""Channels between the two convolutions of a bottleneck layer, in units of the growth."""


class DenseLayer(nn.Module):
    """Reads the stream, appends `growth` channels to it; with a bottleneck, through a 1x1 convolution."""

    def __init__(self, before: int, growth: int, bottleneck: bool) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.select = ChannelSelection(before)
        self.bottleneck = None
        if bottleneck:
            self.bottleneck = nn.Conv2d(before, BOTTLENECK * growth, 1, bias=False)
            before = BOTTLENECK * growth
            self.bn2 = nn.BatchNorm2d(before)
        self.conv = nn.Conv2d(before, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.select(self.bn1(x)))
        if self.bottleneck is not None:
            y = F.relu(self.bn2(self.bottleneck(y)))
        return torch.cat((x, self.conv(y)), 1)


class Transition(nn.Module):
    """Between two stages: a 1x1 convolution, and half the resolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(before)
        self.select = ChannelSelection(before)
        self.conv = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.select(self.bn(x)))), 2)


class DenseNet(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes]; three stages of equally many layers.

    `compression` is the share of channels that a transition passes on (theta in the paper).
    """

    def __init__(
        self, depth: int, classes: int, in_channels: int, growth: int, bottleneck: bool = False, compression: float = 1
    ) -> None:
        super().__init__()
        channels = 2 * growth
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        layers: list[nn.Module] = []
        for stage in range(3):
            for _ in range((depth - 4) // (6 if bottleneck else 3)):
                layers.append(DenseLayer(channels, growth, bottleneck))
                channels += growth
            if stage < 2:
                after = int(channels * compression)
                layers.append(Transition(channels, after))
                channels = after
        self.blocks = nn.Sequential(*layers)
        self.bn = nn.BatchNorm2d(channels)
        self.select = ChannelSelection(channels)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.select(self.bn(self.blocks(self.conv1(x)))))
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits
