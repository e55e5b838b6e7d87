"""MobileNet for small images: depthwise-separable convolutions (Howard et al. 2017), first stride removed."""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""Output channels and stride of each separable block."""


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


class MobileNet(nn.Module):
    """Images [batch, channels, height, width] to logits [batch, classes]."""

    def __init__(self, classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        before = max(1, round(32 * width))
        layers = _normalised(nn.Conv2d(in_channels, before, 3, padding=1, bias=False))
        for base, stride in BLOCKS:
            channels = max(1, round(base * width))
            layers += _normalised(nn.Conv2d(before, before, 3, stride, padding=1, groups=before, bias=False))
            layers += _normalised(nn.Conv2d(before, channels, 1, bias=False))
            before = channels
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.features(x))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
