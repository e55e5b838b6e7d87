"""VGG for small images, with one linear layer (Simonyan & Zisserman 2015; Liu et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn

STAGES: dict[int, tuple[int, int, int, int, int]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Depth -> convolutions in each of the five stages, between which the resolution halves."""

CHANNELS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Images [batch, channels, height, width] of at least 16 x 16 to logits [batch, classes].

    Convolutions have a batch norm or, without it, a bias.
    """

    def __init__(self, depth: int, classes: int, in_channels: int, width: float = 1.0, batch_norm: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage, (count, base) in enumerate(zip(STAGES[depth], CHANNELS, strict=True)):
            channels = max(1, round(base * width))
            if stage:
                layers.append(nn.MaxPool2d(2))
            for _ in range(count):
                layers.append(nn.Conv2d(in_channels, channels, 3, padding=1, bias=not batch_norm))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(channels))
                layers.append(nn.ReLU(inplace=True))
                in_channels = channels
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.features(x))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
