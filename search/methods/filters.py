"""Methods that look at a channel's filters alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from espalier.models.config import ChannelGroup
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import over_layers, written
from espalier.search.scores import Scores

OptionsT = TypeVar("OptionsT", bound=Frozen)


class FilterMethod(PruningMethod[OptionsT]):
    """Ranks channels by their filters, in the mean over the layers that write to them.

    What filters of layers of other sizes give says nothing about each other, so how many each layer keeps is given.
    """

    finds_widths = False

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that layers write to."""
        return written(network)

    def score(self, parent: Parent) -> Scores:
        """See `of_filters`."""
        return self.scores_in(parent.network)

    @torch.no_grad()
    def scores_in(self, network: Network) -> Scores:
        """The scores of a network as it is."""
        return over_layers(network, "out", self.of_filters)

    @abstractmethod
    def of_filters(self, filters: Tensor) -> Tensor:
        """A number [width] for each filter of a layer [width, elements]."""
