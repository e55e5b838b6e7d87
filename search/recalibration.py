"""Batch norm's statistics, taken anew: what a network that was cut needs before anything can be said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from espalier.search.tasks.base import Batch

BATCH, BATCHES = 100, 20
"""Training images that are looked at, and how many together."""


@torch.no_grad()
def recalibrate(net: nn.Module, batches: Callable[[int], Iterator[Batch]]) -> None:
    """Set every batch norm's mean and variance to those of some training images, each batch with equal weight.

    Li et al. 2020 (2007.02491), section 3.3; with a cumulative mean in the place of a moving one, so that what was
    there before is forgotten altogether.
    """
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    before = [norm.momentum for norm in norms]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for batch in islice(batches(BATCH), BATCHES):
        if len(batch.inputs) > 1:  # one value has no variance
            net(batch.inputs)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()
