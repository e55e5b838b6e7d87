"""Methods that rank single weights, and not channels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from pydantic import Field

from espalier.models.config import ChannelGroup
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.scores import Scores
from espalier.search.weights import Layers, prunable_weights


class WeightOptions(Frozen):
    """Which single weights may be cut."""

    layers: Layers = Field(default="conv", description="of convolutions, as Liu et al. 2019; of linear layers; of all")


OptionsT = TypeVar("OptionsT", bound=WeightOptions)


class WeightMethod(PruningMethod[OptionsT]):
    """Scores single weights: by name of a parameter, a tensor of its shape. Biases and norms always stay."""

    grain: ClassVar = "weight"

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """No channels. Raises SpecError if the network has no such weights."""
        prunable_weights(network, self.options.layers)
        return ()

    def weights(self, network: Network) -> tuple[str, ...]:
        """The parameters that `score` will name."""
        return prunable_weights(network, self.options.layers)

    @abstractmethod
    def score(self, parent: Parent) -> Scores:
        """How much each weight matters, all layers in one ranking."""
