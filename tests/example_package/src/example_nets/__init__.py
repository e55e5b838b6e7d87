"""A network of one's own, by name in Espalier: `example-nets/tiny`."""

import torch
from pydantic import Field
from torch import Tensor, nn

from espalier.models.architectures import Architecture
from espalier.models.document import Frozen


class TinyNet(nn.Module):
    """Two convolutions, with a factor of the network's own on each channel; images of any size."""

    def __init__(self, classes: int, in_channels: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.5))
        self.conv = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(2 * channels)
        self.classifier = nn.Linear(2 * channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x))) * self.scale
        x = torch.relu(self.norm2(self.conv(x)))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


class TinyOptions(Frozen):
    """What a job may set in `target.options`."""

    channels: int = Field(default=8, strict=True, ge=2, le=512, description="of the first convolution")


TINY = Architecture(
    "tiny",
    "an example of an architecture from an installed package",
    lambda options, classes, shape: TinyNet(classes, shape[0], options.channels),
    options=TinyOptions,
)
