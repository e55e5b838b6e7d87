"""Trying a cut before anything is trained: random masks on a network whose every tensor was moved from its start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from espalier.models.config import ChannelConfig, ChannelGroup, ChannelMask
from espalier.models.errors import SurgeryError
from espalier.models.initialise import COVERED
from espalier.models.registry import blueprint, build
from espalier.models.surgery import prune
from torch import Tensor, nn


def rehearse(config: ChannelConfig, masks: int = 1, double: bool = False) -> None:
    """Cut the config's network by random masks. Raises SurgeryError unless it stays what it is silenced."""
    net, coupling = build(config).eval(), blueprint(config).coupling
    if double:
        net.double()
    disturb(net, torch.Generator().manual_seed(2))
    for seed in range(masks):
        cut = prune(net, coupling, random_mask(coupling.groups, seed), check=True)
    _train_once(cut, torch.randn(2, *config.shape, dtype=torch.double if double else torch.float))


def _train_once(net: nn.Module, images: Tensor) -> None:
    """See that a network runs in training, too, where tracing may not have been able to look."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            net.train()(images)
    except Exception as error:  # whatever a network's own forward may raise
        raise SurgeryError(f"the cut network does not run in training: {error}") from error


@torch.no_grad()
def disturb(net: nn.Module, generator: torch.Generator) -> None:
    """Move every tensor away from its initial value, since most errors hide behind those."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            _normal(module.running_mean, 0.5, generator)
            _uniform(module.running_var, generator)
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)):
            _uniform(module.weight, generator)
            _normal(module.bias, 0.5, generator)
        elif isinstance(module, nn.Linear):
            _normal(module.weight, module.in_features**-0.5, generator)
            _normal(module.bias, 0.5, generator)
        elif isinstance(module, nn.Conv2d):
            _normal(module.bias, 0.5, generator)
        elif not isinstance(module, COVERED):
            for own in module.parameters(recurse=False):
                if own.is_floating_point():
                    _uniform(own, generator)


def _normal(tensor: Any, deviation: float, generator: torch.Generator) -> None:
    if isinstance(tensor, Tensor):
        tensor.normal_(0, deviation, generator=generator)


def _uniform(tensor: Any, generator: torch.Generator) -> None:
    if isinstance(tensor, Tensor):
        tensor.uniform_(0.5, 1.5, generator=generator)


def random_mask(groups: Iterable[ChannelGroup], seed: int) -> ChannelMask:
    """A mask that keeps at least each group's floor."""
    generator = torch.Generator().manual_seed(seed)
    kept = {}
    for group in groups:
        count = int(torch.randint(group.floor, group.width + 1, (1,), generator=generator))
        order = torch.randperm(group.width, generator=generator)
        kept[group.name] = torch.zeros(group.width, dtype=torch.bool).index_fill(0, order[:count], True)
    return ChannelMask(kept)
