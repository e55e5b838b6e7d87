"""Network slimming: L1 on batch-norm scales, channels ranked by scale (Liu et al. 2017, 1708.06519, eq. 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from pydantic import Field
from torch import nn

from espalier.models.config import ChannelGroup
from espalier.models.document import Frozen
from espalier.search.errors import SpecError
from espalier.search.methods.base import PruningMethod, Scores
from espalier.search.train import learning_rate
from espalier.search.types import Recipe

PULL = 0.75
"""How far strength 1 moves a scale that nothing else holds, over the whole training (scales start at 0.5)."""

INITIAL_SCALE = 0.5


class SlimmingOptions(Frozen):
    """Options of network slimming."""

    strength: float = Field(
        default=1.0, strict=True, gt=0, le=100, description="of the L1 penalty, relative to the recipe's length"
    )


class Slimming(PruningMethod[SlimmingOptions]):
    """Ranks channels by the scale of their batch norm, after a training that pulls all scales towards zero.

    The penalty is lambda * sum |gamma|, by subgradient: lambda * sign(gamma) is added to gamma's gradient. The paper's
    lambda belongs to 125,000 steps. Here it is chosen so that the distance a free scale travels,
    lambda * sum_t lr_t / (1 - momentum), is `strength` * PULL whatever the schedule.
    """

    Options = SlimmingOptions

    def ranked(self, net: nn.Module, groups: Sequence[ChannelGroup]) -> Sequence[ChannelGroup]:
        """Those that pass a batch norm."""
        scales = _scales(net)
        found = [group for group in groups if any(True for _ in _passed(net, group, scales))]
        if groups and not found:
            raise SpecError(
                f"slimming ranks channels by batch-norm scales, and none of the {len(groups)} groups passes a batch "
                "norm; use an architecture with batch norms"
            )
        return found

    def prepare(self, net: nn.Module, recipe: Recipe, steps: int) -> None:
        self._gammas: list[torch.Tensor] = [*_scales(net).values()]
        with torch.no_grad():
            for gamma in self._gammas:
                gamma.fill_(INITIAL_SCALE)
        travel = sum(learning_rate(recipe, step, steps) for step in range(steps)) / (1 - recipe.momentum)
        self._weight = self.options.strength * PULL / travel

    @torch.no_grad()
    def penalty(self, net: nn.Module) -> None:  # noqa: ARG002  (`prepare` has looked through it)
        used = [gamma for gamma in self._gammas if gamma.grad is not None]
        gradients = [gamma.grad for gamma in used if gamma.grad is not None]
        torch._foreach_add_(gradients, torch._foreach_sign(used), alpha=self._weight)

    @torch.no_grad()
    def score(self, net: nn.Module, groups: Sequence[ChannelGroup]) -> Scores:
        """Mean |gamma| over the batch norms a channel passes."""
        scales = {name: gamma.detach().double().abs() for name, gamma in _scales(net).items()}
        passed = {group.name: [*_passed(net, group, scales)] for group in groups}
        return {name: torch.stack(found).mean(0).cpu() for name, found in passed.items() if found}


def _passed(net: nn.Module, group: ChannelGroup, scales: Mapping[str, torch.Tensor]) -> Iterator[torch.Tensor]:
    """The scales of a group's channels [width] in each batch norm they pass."""
    for part in group.slices:
        if part.tensor in scales:
            yield scales[part.tensor][part.start : part.start + group.width * part.repeat].view(group.width, -1).mean(1)
    if group.selection and group.selection.scale:
        buffer = group.selection.buffer
        yield scales[group.selection.scale][net.get_buffer(buffer.tensor)[buffer.start :][: group.width]]


def _scales(net: nn.Module) -> dict[str, nn.Parameter]:
    """The scale of every batch norm, by its name in the state dict."""
    return {
        f"{name}.weight": module.weight
        for name, module in net.named_modules()
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.weight is not None
    }
