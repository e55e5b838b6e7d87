"""SNIP: connection sensitivity before training (Lee et al. 2019, 1810.02340), of whole channels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
from pydantic import Field
from torch import Tensor

from espalier.models.config import ChannelGroup
from espalier.models.copies import with_tensors
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import filters_of, over_filters, written
from espalier.search.schedule import TRAINING
from espalier.search.scores import Scores


class SnipOptions(Frozen):
    """Options of SNIP."""

    batches: int = Field(default=1, strict=True, ge=1, le=10_000, description="whose gradients are added up")
    batch_size: int = Field(default=100, strict=True, ge=1, le=10_000, description="training images in each")


class Snip(PruningMethod[SnipOptions]):
    """Ranks channels of an untrained network by how much the loss depends on their filters."""

    Options = SnipOptions
    is_trained = False
    passes = TRAINING

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that layers write to."""
        return written(network)

    def score(self, parent: Parent) -> Scores:
        """Sum of |gradient x weight| over a channel's filters, in training mode, in the mean over layers."""
        net = with_tensors(parent.network.module, {}).train()  # batch norms count what they see
        names = filters_of(parent.network)
        parameters = [net.get_parameter(name) for name in names]
        totals: list[Tensor] = [torch.zeros_like(parameter) for parameter in parameters]
        with torch.random.fork_rng():
            torch.manual_seed(0)  # dropout
            for batch in islice(parent.batches(self.options.batch_size), self.options.batches):
                found = torch.autograd.grad(parent.task.loss(net, batch), parameters, allow_unused=True)
                totals = [total if new is None else total + new for total, new in zip(totals, found, strict=True)]
        sensitivity = {
            name: (parameter.detach() * total).double().abs()
            for name, parameter, total in zip(names, parameters, totals, strict=True)
        }
        return over_filters(parent.network, sensitivity, lambda filters: filters.sum(1))
