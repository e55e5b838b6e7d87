"""Soft filter pruning (He et al. 2018, 1808.06866, algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from espalier.models.config import ChannelGroup
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import over_layers, with_role
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.scores import Scores, top


class SoftFilterOptions(Frozen):
    """Options of soft filter pruning."""

    keep: float = Field(
        default=0.7, strict=True, gt=0, le=1, description="share of each group's filters that is not set to zero"
    )


class SoftFilter(PruningMethod[SoftFilterOptions]):
    """Sets the filters with the smallest L2 norms to zero after every epoch, from where they may grow again.

    Where several layers write to one channel, their filters are set to zero together, as they will be cut. How many
    each layer keeps is given.
    """

    Options = SoftFilterOptions
    finds_widths = False

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that layers write to."""
        return [group for group in network.groups if any(True for _ in with_role(group, "out"))]

    def regularizer(self, network: Network, recipe: Recipe, steps: int) -> Regularizer:  # noqa: ARG002
        """The zeros, after every epoch."""
        return _Zeroing(network, self.options.keep)

    @torch.no_grad()
    def score(self, parent: Parent) -> Scores:
        """L2 norm of a channel's filter, the mean over the layers that write to it."""
        return _norms(parent.network)


class _Zeroing(Regularizer):
    """Sets filters to zero after an epoch. It remembers nothing."""

    def __init__(self, network: Network, keep: float) -> None:
        self.network, self.keep = network, keep

    @torch.no_grad()
    def after_epoch(self, net: nn.Module) -> None:
        """The smallest filters of each group, in all layers that write to it."""
        groups, scores = self.network.groups, _norms(self.network)
        widths = {group.name: group.width - int(group.width * (1 - self.keep) + 1e-9) for group in groups}
        kept = top(groups, scores, widths).kept
        for group in groups:
            for part in with_role(group, "out"):
                weight: Tensor = net.get_parameter(part.tensor)
                gone = ~kept[group.name].repeat_interleave(part.repeat)
                index = part.start + gone.nonzero().flatten()
                weight.index_fill_(part.dim, index.to(weight.device), 0.0)


def _norms(network: Network) -> Scores:
    return over_layers(network, "out", lambda filters: filters.norm(dim=1))
