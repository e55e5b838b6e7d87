"""Trying a cut before anything is trained: random masks on a network whose every tensor was moved from its start."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from espalier.models.config import ChannelConfig, ChannelGroup, ChannelMask
from espalier.models.errors import SurgeryError
from espalier.models.layers import layer_of
from espalier.models.layers.base import random_uniform
from espalier.models.network import Network
from espalier.models.surgery import prune
from espalier.models.tensors import precision_of


def self_check(config: ChannelConfig, masks: int = 1, double: bool = False) -> None:
    """Cut the config's network by random masks. Raises SurgeryError unless it stays what it is silenced."""
    network = Network.of(config).fresh()
    net, coupling = network.module.eval(), network.coupling
    if double:
        net.double()
    randomise(net, torch.Generator().manual_seed(2))
    for seed in range(masks):
        cut = prune(net, coupling, random_mask(coupling.groups, seed), check=True)
    generator = torch.Generator().manual_seed(3)
    _train_once(cut, torch.randn(2, *config.shape, dtype=precision_of(cut), generator=generator))


def _train_once(net: nn.Module, images: torch.Tensor) -> None:
    """See that a network runs in training, too, where tracing may not have been able to look."""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            net.train()(images)
    except Exception as error:  # whatever a network's own forward may raise
        raise SurgeryError(f"the cut network does not run in training: {error}") from error


@torch.no_grad()
def randomise(net: nn.Module, generator: torch.Generator) -> None:
    """Move every tensor away from its initial value, since most errors hide behind those."""
    for module in net.modules():
        layer = layer_of(module)
        if layer is not None and layer.randomise is not None:
            layer.randomise(module, generator)
        for name, own in module.named_parameters(recurse=False):
            if own.is_floating_point() and (layer is None or name not in layer.drawn):
                random_uniform(own, generator)


def random_mask(groups: Iterable[ChannelGroup], seed: int) -> ChannelMask:
    """A mask that keeps at least each group's minimum width."""
    generator = torch.Generator().manual_seed(seed)
    kept = {}
    for group in groups:
        count = int(torch.randint(group.minimum_width, group.width + 1, (1,), generator=generator))
        order = torch.randperm(group.width, generator=generator)
        kept[group.name] = torch.zeros(group.width, dtype=torch.bool).index_fill(0, order[:count], True)
    return ChannelMask(kept)
