"""An architecture that has the new kind of layer."""

from __future__ import annotations

import torch
from torch import nn


class Upscale(nn.Module):
    """Down and up again: images [batch, channels, height, width] to logits [batch, classes]."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(channels, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 12, 2, 2), nn.BatchNorm2d(12), nn.ReLU())
        self.classifier, self.norm = nn.Linear(12, classes), nn.RMSNorm(classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.norm(self.classifier(self.up(self.down(x)).mean((2, 3))))
        return logits
