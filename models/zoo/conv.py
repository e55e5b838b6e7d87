"""Conv-2, Conv-4 and Conv-6: VGG's beginning with two hidden linear layers (Frankle & Carbin 2019, figure 2)."""

from __future__ import annotations

from torch import Tensor, nn

CHANNELS = (64, 128, 256)
HIDDEN = 256


class Conv(nn.Module):
    """`depth` convolutions: images [batch, channels, height, width] to logits [batch, classes]."""

    def __init__(
        self, depth: int, classes: int, shape: tuple[int, ...], width: float = 1.0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        before, height, rest = shape
        layers: list[nn.Module] = []
        for base in CHANNELS[: depth // 2]:
            channels = max(1, round(base * width))
            for _ in range(2):
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
                before = channels
            layers.append(nn.MaxPool2d(2))
            height, rest = height // 2, rest // 2
        self.features = nn.Sequential(*layers)
        hidden = max(1, round(HIDDEN * width))
        drop = [nn.Dropout(dropout)] if dropout else []
        self.hidden = nn.Sequential(
            nn.Linear(before * height * rest, hidden), nn.ReLU(inplace=True), *drop,
            nn.Linear(hidden, hidden), nn.ReLU(inplace=True), *drop,
        )  # fmt: skip
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.hidden(self.features(x).flatten(1)))
        return logits
