"""Soft filter pruning (He et al. 2018, 1808.06866, algorithm 1)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.methods.channels import with_role
from espalier.search.methods.filters import FilterMethod
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.scores import top


class SoftFilterOptions(Frozen):
    """Options of soft filter pruning."""

    keep: float = Field(
        default=0.7, strict=True, gt=0, le=1, description="share of each group's filters that is not set to zero"
    )


class SoftFilter(FilterMethod[SoftFilterOptions]):
    """Sets the filters with the smallest L2 norms to zero after every epoch, from where they may grow again.

    Where several layers write to one channel, their filters are set to zero together, as they will be cut.
    """

    Options = SoftFilterOptions

    def regularizer(self, network: Network, recipe: Recipe, steps: int) -> Regularizer:  # noqa: ARG002
        """The zeros, after every epoch."""
        return _Zeroing(self, network)

    def of_filters(self, filters: Tensor) -> Tensor:
        """L2 norm."""
        norms: Tensor = torch.linalg.vector_norm(filters, dim=1)
        return norms


class _Zeroing(Regularizer):
    """Sets filters to zero after an epoch. It remembers nothing."""

    def __init__(self, method: SoftFilter, network: Network) -> None:
        self.method, self.network = method, network

    @torch.no_grad()
    def after_epoch(self, net: nn.Module) -> None:
        """The smallest filters of each group, in all layers that write to it."""
        groups, scores, gone = self.network.groups, self.method.scores_in(self.network), 1 - self.method.options.keep
        widths = {group.name: group.width - int(group.width * gone + 1e-9) for group in groups}
        kept = top(groups, scores, widths).kept
        for group in groups:
            for part in with_role(group, "out"):
                weight: Tensor = net.get_parameter(part.tensor)
                zeros = ~kept[group.name].repeat_interleave(part.repeat)
                index = part.start + zeros.nonzero().flatten()
                weight.index_fill_(part.dim, index.to(weight.device), 0.0)
