"""Filter pruning by geometric median (He et al. 2019, 1811.00250, equation 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from espalier.models.config import ChannelGroup
from espalier.models.document import NoOptions
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import over_layers, with_role
from espalier.search.scores import Scores


class GeometricMedian(PruningMethod[NoOptions]):
    """Cuts the filters that the others of their layer replace best: those nearest to all of them.

    How many each layer keeps is given, as distances of other layers say nothing about each other.
    """

    Options = NoOptions
    finds_widths = False

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that layers write to."""
        return [group for group in network.groups if any(True for _ in with_role(group, "out"))]

    @torch.no_grad()
    def score(self, parent: Parent) -> Scores:
        """Sum of the distances from a channel's filter to all others, the mean over the layers that write to it."""
        return over_layers(parent.network, "out", lambda filters: torch.cdist(filters, filters).sum(1))
