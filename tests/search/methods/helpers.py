"""Small networks with parents, for tests of one method."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from espalier.models.config import ChannelMask
from espalier.models.network import Network, dense
from espalier.models.surgery import prune
from espalier.models.tracing.trace import trace
from espalier.search import tasks
from espalier.search.methods.base import Parent
from espalier.search.recipe import Recipe
from espalier.search.tasks.base import Batch

TASK = tasks.create("classification", Recipe(epochs=1, batch_size=1, lr=0.1))


def cut_of(parent: Parent, mask: ChannelMask) -> Network:
    """The parent's network without the channels that a mask cuts."""
    network = parent.network
    return Network(network.config, network.coupling, prune(network.module, network.coupling, mask))


def parent_of(net: nn.Module, shape: tuple[int, int, int] = (1, 4, 4), classes: int = 2) -> Parent:
    """A network that no config describes, with random examples."""

    def batches(size: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(0)
        dtype = next(net.parameters()).dtype
        for _ in range(3):
            images = torch.randn((size, *shape), generator=generator, dtype=dtype)
            yield Batch(images, torch.randint(classes, (size,), generator=generator))

    return Parent(Network(dense("lenet5"), trace(net, shape), net), TASK, batches)
