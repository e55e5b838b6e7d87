"""Sparse structure selection (Huang & Wang 2018, 1707.01213), of residual blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from espalier.models.blocks import branches
from espalier.models.config import ChannelGroup, Slice
from espalier.models.errors import ArchitectureError
from espalier.models.network import Network
from espalier.search.errors import SpecError
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.factors import FactorOptions, Structures, factors_of
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.scores import Scores


class BlockSelection(PruningMethod[FactorOptions]):
    """Ranks whole residual blocks by factors that are learned beside the weights, and pulled to zero exactly.

    A block's factor multiplies its residual branch before the shortcut is added (equation 3). See `factors`. A block
    that is cut leaves its shortcut; the network is one of fewer `blocks`.
    """

    Options = FactorOptions
    reads_kept = True
    grain: ClassVar = "block"

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """No channels. Raises SpecError if no option of the network leaves out blocks."""
        try:
            found = branches(network)
        except ArchitectureError as error:
            raise SpecError(str(error)) from error
        if not found:
            raise SpecError(f"{network.config.arch} has no blocks with these options")
        return ()

    def regularizer(self, network: Network, recipe: Recipe, steps: int) -> Regularizer:
        """The factors, and how they are learned. Raises SpecError for an optimiser that is not theirs."""
        structures = {branch.block: Structures(1, _outputs(network, branch.end)) for branch in branches(network)}
        return factors_of(network, structures, self.options, recipe, steps)

    def score(self, parent: Parent) -> Scores:
        """The factors: by block, one number."""
        return {branch.block: parent.kept[branch.block].double().cpu() for branch in branches(parent.network)}


def _outputs(network: Network, layer: str) -> list[Slice]:
    """All channels that a layer gives, as one."""
    weight = f"{layer}.weight"
    channels = len(network.module.get_parameter(weight))
    return [Slice(weight, 0, "out", repeat=channels)]
