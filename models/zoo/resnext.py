"""Residual networks whose bottlenecks are many narrow paths side by side, for small images (Xie et al. 2017,
1611.05431): 9n + 2 layers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.zoo.stages import Staged, layout

STEM = 64
PATH = 64
"""Channels of each path in the first stage; they double from stage to stage, as what blocks give does."""
CHANNELS = (256, 512, 1024)


class Paths(nn.Conv2d):
    """A convolution in groups, each of which is a path of its own. A network may have fewer paths, but none that is
    narrower."""

    whole_groups = True


class Shortcut(nn.Sequential):
    """What is left of a block that changes resolution or channels when its branch is gone."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return F.relu(x)


def _projection(before: int, after: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)


class Block(nn.Module):
    """1x1, 3x3 along each path, 1x1 over all of them; where channels or resolution change, the shortcut is a 1x1
    convolution with a norm."""

    def __init__(self, before: int, paths: int, path: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, paths * path, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(paths * path)
        self.conv2 = Paths(paths * path, paths * path, 3, stride, padding=1, groups=paths, bias=False)
        self.bn2 = nn.BatchNorm2d(paths * path)
        self.conv3 = nn.Conv2d(paths * path, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        changes = stride > 1 or before != after
        self.downsample = nn.Sequential(*_projection(before, after, stride)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.downsample is not None:
            x = self.downsample(x)
        return F.relu(y + x)


class ResNeXt(Staged):
    """See `stages.Staged`.

    `paths` is the paper's cardinality. `blocks` is the number of residual branches in each of the three stages; stages
    in `bare` begin with their shortcut alone (see `stages.layout`).
    """

    def __init__(
        self,
        blocks: Sequence[int],
        classes: int,
        in_channels: int,
        paths: int,
        width: float = 1.0,
        bare: Collection[int] = (),
    ) -> None:
        before = stem = max(1, round(STEM * width))
        layers: list[nn.Module] = []
        for stage, downsamples, branch in layout(blocks, bare):
            after, path = (max(1, round(base * width)) for base in (CHANNELS[stage], PATH << stage))
            stride = 2 if downsamples else 1
            if branch:
                layers.append(Block(before, paths, path, after, stride))
            else:
                layers.append(Shortcut(*_projection(before, after, stride)))
            before = after
        super().__init__(in_channels, stem, layers, before, classes)
