"""Network slimming: L1 on batch-norm scales, channels ranked by scale (Liu et al. 2017, 1708.06519, eq. 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from espalier.models.config import ChannelGroup
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.early_bird import EarlyBird
from espalier.search.errors import SpecError
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import Across, merged
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer, Together
from espalier.search.schedule import travel
from espalier.search.scores import Scores

PULL = 0.75
"""How far strength 1 moves a scale that nothing else holds, over the whole training (scales start at 0.5)."""

FORCE = 0.2
"""The least penalty at strength 1, as a share of the loss's own pull at scales when training begins. It is that of the
paper's VGGs; at their length `PULL` alone lets whole layers die (docs/slimming.md)."""

INITIAL_SCALE = 0.5


AcrossNorms = Annotated[
    Across,
    Field(
        description="which scale a channel of a residual stream has, that passes several norms: their mean, their "
        "largest, their sum, or the first on its way"
    ),
]


class ScaleOptions(Frozen):
    """Options of ranking by scales."""

    across: AcrossNorms = "mean"


class SlimmingOptions(Frozen):
    """Options of network slimming."""

    strength: float = Field(
        default=1.0, strict=True, gt=0, le=100, description="of the L1 penalty, relative to the recipe's length"
    )
    penalty: float | None = Field(
        default=None,
        strict=True,
        gt=0,
        le=1,
        description="lambda itself, in place of strength, as papers state it for their own schedules (1e-4 for VGGs, "
        "1e-5 for PreResNets and DenseNets, 160 epochs)",
    )
    passes: int = Field(
        default=1,
        strict=True,
        ge=1,
        le=3,
        description="trainings of the parent; before each but the first, channels are cut, equally far on the way to "
        "the job's budgets",
    )
    early_bird: float = Field(
        default=0.0,
        strict=True,
        ge=0,
        lt=1,
        description="train the parent no longer once so small a share of the mask that keeps half of all channels "
        "changes (0.1 in You et al. 2020); 0: to the end",
    )
    window: int = Field(
        default=5, strict=True, ge=2, le=1000, description="epochs over which early_bird looks at the mask"
    )
    across: AcrossNorms = "mean"

    @model_validator(mode="after")
    def _strength_or_penalty(self) -> Self:
        if self.penalty is not None and self.strength != 1:
            raise ValueError("strength and penalty both say how strong the L1 penalty is; give one of them")
        return self


class Slimming(PruningMethod[SlimmingOptions]):
    """Ranks channels by the scale of their batch norm, after a training that pulls all scales towards zero.

    The penalty is lambda * sum |gamma|, by subgradient: lambda * sign(gamma) is added to gamma's gradient. The paper's
    lambda belongs to 125,000 steps. Here it is chosen so that the distance a free scale travels,
    lambda * sum_t lr_t / (1 - momentum), is `strength` * PULL whatever the schedule. Where training is so long that
    this would be a weak force, it is `strength` * FORCE of the median |gradient| of all scales in the first step; or it
    is `penalty`.
    """

    Options = SlimmingOptions

    @property
    def trained_as(self) -> SlimmingOptions:
        """How scales become one matters to who looks at ranks before training ends."""
        if self.options.early_bird or self.options.passes > 1:
            return self.options
        return self.options.model_copy(update={"across": SlimmingOptions().across})

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that pass a batch norm."""
        return passing_norms(network, "slimming")

    @torch.no_grad()
    def prepare(self, network: Network) -> None:
        """All scales start alike, at one half."""
        for gamma in _scales(network).values():
            gamma.fill_(INITIAL_SCALE)

    def regularizer(self, network: Network, recipe: Recipe, steps: int) -> Regularizer:
        """The penalty. Raises SpecError for an optimiser whose steps do not add up to a path."""
        if recipe.optimizer != "sgd":
            raise SpecError(
                f"slimming's penalty is scaled to how far sgd moves a weight; {recipe.optimizer} divides it by its own "
                "size: use sgd, or another method"
            )
        if self.options.early_bird and self.options.window >= recipe.epochs:
            raise SpecError(
                f"early_bird looks at the masks of {self.options.window} epochs, and training has no more than "
                f"{recipe.epochs}, so nothing would be saved: ask for a smaller window"
            )
        penalty = self._penalty([*_scales(network).values()], recipe, steps)
        if not self.options.early_bird:
            return penalty
        bird = EarlyBird(
            lambda: scale_scores(network, self.options.across), self.options.early_bird, self.options.window
        )
        return Together([penalty, bird])

    def _penalty(self, gammas: Sequence[Tensor], recipe: Recipe, steps: int) -> _Penalty:
        if self.options.penalty is not None:
            return _Penalty(gammas, self.options.penalty, share=0)
        strength = self.options.strength
        return _Penalty(gammas, strength * PULL / travel(recipe, steps), strength * FORCE)

    @torch.no_grad()
    def score(self, parent: Parent) -> Scores:
        """|gamma| of the batch norms a channel passes, made one."""
        return scale_scores(parent.network, self.options.across)


class _Penalty(Regularizer):
    """Adds lambda * sign(gamma) to the gradients of the scales. What it remembers is lambda: a weight, or a share of
    the first gradients where that is more."""

    def __init__(self, gammas: Sequence[Tensor], weight: float, share: float) -> None:
        self.gammas, self.weight, self.share = gammas, weight, share

    @torch.no_grad()
    def before_step(self, net: nn.Module) -> None:  # noqa: ARG002  (the scales are known)
        """The subgradient of the penalty."""
        used = [gamma for gamma in self.gammas if gamma.grad is not None]
        gradients = [gamma.grad for gamma in used if gamma.grad is not None]
        if self.share and gradients:
            pull = float(torch.cat([gradient.flatten() for gradient in gradients]).abs().median())
            self.weight, self.share = max(self.weight, self.share * pull), 0
        torch._foreach_add_(gradients, torch._foreach_sign(used), alpha=self.weight)

    def state_dict(self) -> dict[str, Tensor]:
        return {"lambda": torch.tensor([self.weight, self.share], dtype=torch.double)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.weight, self.share = state["lambda"].tolist()


def passing_norms(network: Network, method: str) -> Sequence[ChannelGroup]:
    """The groups whose channels pass a batch norm. Raises SpecError, for the method of this name, if none does."""
    scales = _scales(network)
    found = [group for group in network.groups if any(True for _ in _passed(network, group, scales))]
    if network.groups and not found:
        raise SpecError(
            f"{method} ranks channels by batch-norm scales, and none of the {len(network.groups)} groups passes a "
            "batch norm; use an architecture with batch norms"
        )
    return found


def scale_scores(network: Network, across: Across) -> Scores:
    """|gamma| of each channel, made one where it passes several batch norms."""
    scales = {name: gamma.detach().double().abs() for name, gamma in _scales(network).items()}
    passed = {group.name: [*_passed(network, group, scales)] for group in network.groups}
    return {name: merged(found, across).cpu() for name, found in passed.items() if found}


def _passed(network: Network, group: ChannelGroup, scales: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """The scales of a group's channels [width] in each batch norm they pass."""
    for part in group.slices:
        if part.role == "scale":
            yield scales[part.tensor][part.start : part.start + group.width * part.repeat].view(group.width, -1).mean(1)
    if group.selection and group.selection.scale:
        buffer = group.selection.buffer
        yield scales[group.selection.scale][network.module.get_buffer(buffer.tensor)[buffer.start :][: group.width]]


def _scales(network: Network) -> dict[str, nn.Parameter]:
    """The scale of every normalisation, by its name in the state dict."""
    return {name: network.module.get_parameter(name) for name in network.coupling.with_role("scale")}
