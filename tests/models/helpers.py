"""Small networks in double precision with batch-norm statistics of their own, and masks that respect floors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.config import ChannelConfig, ChannelGroup, ChannelMask
from models.registry import ARCHITECTURES, build, dense, groups

SMALL = {
    name: dense(name, 4, (3, 32, 32), {"width": 0.125} if "width" in entry.options.model_fields else {})
    for name, entry in ARCHITECTURES.items()
}
SMALL["torchvision/resnet18"] = dense("torchvision/resnet18", 4, (3, 32, 32))
"""Every architecture of the zoo, and one of torchvision's, in a size that takes milliseconds."""


class Case(NamedTuple):
    """A network, its groups and inputs."""

    config: ChannelConfig
    net: nn.Module
    groups: tuple[ChannelGroup, ...]
    inputs: Tensor


def case(name: str) -> Case:
    """A dense network whose every tensor differs from its initial value, since most errors hide behind those."""
    config = SMALL[name]
    net = build(config, seed=1).double().eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.normal_(0, 0.5, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.5, generator=generator)
            elif isinstance(module, nn.Linear):
                module.weight.normal_(0, 0.5, generator=generator)
                module.bias.normal_(0, 0.5, generator=generator)
    inputs = torch.randn(2, *config.shape, dtype=torch.float64, generator=generator)
    return Case(config, net, groups(config), inputs)


def random_mask(channel_groups: tuple[ChannelGroup, ...], seed: int) -> ChannelMask:
    """A mask that keeps at least each group's floor."""
    generator = torch.Generator().manual_seed(seed)
    kept = {}
    for group in channel_groups:
        count = int(torch.randint(group.floor, group.width + 1, (1,), generator=generator))
        order = torch.randperm(group.width, generator=generator)
        kept[group.name] = torch.zeros(group.width, dtype=torch.bool).index_fill(0, order[:count], True)
    return ChannelMask(kept)


def close(one: Tensor, other: Tensor) -> bool:
    """Equal up to rounding, relative to the largest value (deep networks grow)."""
    return bool((one - other).abs().max() <= 1e-9 * max(1.0, float(other.abs().max())))
