"""Sparse structure selection (Huang & Wang 2018, 1707.01213), of channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from espalier.models.config import ChannelGroup, Slice
from espalier.models.network import Network
from espalier.search.errors import SpecError
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import rows
from espalier.search.methods.factors import FactorOptions, Structures, factors_of
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.scores import Scores


class StructureSelection(PruningMethod[FactorOptions]):
    """Ranks channels by factors that are learned beside the weights, and pulled to zero exactly by proximal steps.

    A channel's factor multiplies what each layer gives that writes to it, after its norm if it has one. See `factors`.
    """

    Options = FactorOptions
    reads_kept = True

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that norms scale or layers write to. Raises SpecError if there are none."""
        found = [group for group in network.groups if _written(group)]
        if network.groups and not found:
            raise SpecError(
                f"structure_selection multiplies what layers give, and each of the {len(network.groups)} groups only "
                "selects from a stream that stays; use slimming"
            )
        return found

    def regularizer(self, network: Network, recipe: Recipe, steps: int) -> Regularizer:
        """The factors, and how they are learned. Raises SpecError for an optimiser that is not theirs."""
        structures = {group.name: Structures(group.width, _written(group)) for group in self.ranked(network)}
        return factors_of(network, structures, self.options, recipe, steps)

    def score(self, parent: Parent) -> Scores:
        """The factors; 0 where a channel has no weight left."""
        scores = {}
        for group in self.ranked(parent.network):
            weights = [parent.network.module.get_parameter(part.tensor).detach() for part in _written(group)]
            pairs = zip(weights, _written(group), strict=True)
            alive = torch.stack([(rows(weight, part, group.width) != 0).any(1) for weight, part in pairs]).any(0)
            scores[group.name] = (parent.kept[group.name].to(alive.device) * alive).double().cpu()
        return scores


def _written(group: ChannelGroup) -> list[Slice]:
    """Where factors stand: at norms, or where there are none, at the layers that write to the group."""
    norms = [part for part in group.slices if part.role == "scale"]
    return norms or [part for part in group.slices if part.role == "out"]
