"""MobileNets for small images, with fewer strides than the papers' (Howard et al. 2017; Sandler et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
"""Output channels and stride of each separable block."""


INVERTED = (
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Of MobileNet-V2's inverted residuals: expansion, channels, repetitions, stride of the first."""


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


class MobileNetV1(nn.Module):
    """Depthwise-separable convolutions: images [batch, channels, height, width] to logits [batch, classes]."""

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


class InvertedResidual(nn.Module):
    """Expand by 1x1, 3x3 depthwise, project by 1x1 without activation; a shortcut where the shape stays."""

    def __init__(self, before: int, after: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = before * expansion
        layers = _normalised(nn.Conv2d(before, inner, 1, bias=False)) if expansion > 1 else []
        layers += _normalised(nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False))
        layers += _normalised(nn.Conv2d(inner, after, 1, bias=False))[:2]
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """Inverted residuals: images [batch, channels, height, width] to logits [batch, classes]."""

    def __init__(self, classes: int, in_channels: int, width: float = 1.0) -> None:
        super().__init__()
        before, last = (max(1, round(base * width)) for base in (32, 1280))
        layers = _normalised(nn.Conv2d(in_channels, before, 3, padding=1, bias=False))
        for expansion, base, repetitions, stride in INVERTED:
            channels = max(1, round(base * width))
            for index in range(repetitions):
                layers.append(InvertedResidual(before, channels, expansion, stride if index == 0 else 1))
                before = channels
        layers += _normalised(nn.Conv2d(before, last, 1, bias=False))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.features(x))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits
