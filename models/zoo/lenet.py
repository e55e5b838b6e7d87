"""The small networks of MNIST: LeNet-300-100 and LeNet-5 (LeCun et al. 1998; as in Frankle & Carbin 2019 and Caffe)."""

from __future__ import annotations

import math

from torch import Tensor, nn

Shape = tuple[int, ...]


class LeNet300(nn.Module):
    """Two hidden layers of 300 and 100 units: images [batch, channels, height, width] to logits [batch, classes]."""

    def __init__(self, classes: int, shape: Shape, width: float = 1.0) -> None:
        super().__init__()
        first, second = (max(1, round(base * width)) for base in (300, 100))
        self.fc1 = nn.Linear(math.prod(shape), first)
        self.fc2 = nn.Linear(first, second)
        self.classifier = nn.Linear(second, classes)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.fc1(x.flatten(1)))
        x = self.relu(self.fc2(x))
        logits: Tensor = self.classifier(x)
        return logits


class LeNet5(nn.Module):
    """Two convolutions of 5x5, two linear layers, one ReLU, as Caffe has it: 431,080 parameters on 28x28.

    Images [batch, channels, height, width] of at least 16 x 16 to logits [batch, classes].
    """

    def __init__(self, classes: int, shape: Shape, width: float = 1.0) -> None:
        super().__init__()
        channels, height, rest = shape
        first, second, hidden = (max(1, round(base * width)) for base in (20, 50, 500))
        self.features = nn.Sequential(
            nn.Conv2d(channels, first, 5), nn.MaxPool2d(2), nn.Conv2d(first, second, 5), nn.MaxPool2d(2)
        )
        positions = math.prod(max(0, ((edge - 4) // 2 - 4) // 2) for edge in (height, rest))
        self.fc1 = nn.Linear(second * positions, hidden)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x).flatten(1)
        logits: Tensor = self.classifier(self.relu(self.fc1(x)))
        return logits
