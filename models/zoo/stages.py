"""How many residual blocks each stage has, which stages begin with a bare shortcut, and what stands around them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Staged(nn.Module):
    """A stem, a row of blocks, and a linear layer on the mean over places: images [batch, channels, height, width] to
    logits [batch, classes]."""

    def __init__(self, in_channels: int, stem: int, blocks: Sequence[nn.Module], channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, stem, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.pool(self.blocks(x))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits


class Block(NamedTuple):
    """One place in a residual network."""

    stage: int
    downsamples: bool
    """Whether the resolution halves (and channels grow) here."""
    branch: bool
    """Whether there is a residual branch; without one, only a shortcut that changes resolution or channels is left."""


def layout(blocks: Sequence[int], bare: Collection[int]) -> Iterator[Block]:
    """The blocks of a network with `blocks[s]` residual branches in stage s (Huang & Wang 2017 remove whole ones).

    Stages in `bare` begin with the shortcut alone, since the branch of their first block is gone; so does a stage of
    no branches at all. Shortcuts that change nothing are left out.
    """
    for stage, count in enumerate(blocks):
        if stage in bare or not count:
            yield Block(stage, downsamples=stage > 0, branch=False)
        for index in range(count):
            yield Block(stage, downsamples=stage > 0 and index == 0 and stage not in bare, branch=True)
