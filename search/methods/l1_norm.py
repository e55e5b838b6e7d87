"""L1-norm filter pruning (Li et al. 2017, 1608.08710, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from espalier.models.config import ChannelGroup
from espalier.models.document import NoOptions
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import over_layers, with_role
from espalier.search.scores import Scores


class L1Norm(PruningMethod[NoOptions]):
    """Keeps the filters whose weights have the largest sum of absolute values. How many each layer keeps is given.

    Sums of layers of other sizes say nothing about each other, so a budget is shared out evenly; the paper's ratios for
    each layer are what a job may name instead.
    """

    Options = NoOptions
    finds_widths = False

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that layers write to."""
        return [group for group in network.groups if any(True for _ in with_role(group, "out"))]

    @torch.no_grad()
    def score(self, parent: Parent) -> Scores:
        """Sum of |weight| of a channel's filter, the mean over the layers that write to it."""
        return over_layers(parent.network, "out", lambda filters: filters.abs().sum(1))
