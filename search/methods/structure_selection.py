"""Sparse structure selection (Huang & Wang 2018, 1707.01213), of channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from espalier.models.config import ChannelGroup, Slice
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.errors import SpecError
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import rows
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.schedule import travel
from espalier.search.scores import Scores

PULL = 1.5
"""How far strength 1 moves a factor that nothing else holds, over the whole training (factors start at 1)."""


class StructureSelectionOptions(Frozen):
    """Options of sparse structure selection."""

    strength: float = Field(
        default=1.0, strict=True, gt=0, le=100, description="of the L1 penalty, relative to the recipe's length"
    )


class StructureSelection(PruningMethod[StructureSelectionOptions]):
    """Ranks channels by factors that are learned beside the weights, and pulled to zero exactly by proximal steps.

    A channel's factor multiplies what each layer gives that writes to it, after its norm if it has one. Factors begin
    at 1, have no weight decay and are never negative; afterwards they are multiplied into the weights. As with
    slimming, the penalty is chosen by how far it moves a factor that nothing holds, whatever the schedule.
    """

    Options = StructureSelectionOptions

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
        if recipe.optimizer != "sgd":
            raise SpecError("structure_selection's factors are learned as sgd learns weights; use sgd")
        penalty = self.options.strength * PULL / travel(recipe, steps)
        return _Factors(network, self.ranked(network), penalty, recipe.momentum)

    def score(self, parent: Parent) -> Scores:
        """The factors; 0 where a channel has no weight left."""
        scores = {}
        for group in self.ranked(parent.network):
            weights = [parent.network.module.get_parameter(part.tensor).detach() for part in _written(group)]
            pairs = zip(weights, _written(group), strict=True)
            alive = torch.stack([(rows(weight, part, group.width) != 0).any(1) for weight, part in pairs]).any(0)
            scores[group.name] = (parent.kept[group.name].to(alive.device) * alive).double().cpu()
        return scores


class _Factors(Regularizer):
    """Factors in the forward pass, learned by accelerated proximal gradient (section 3.3): with momentum mu,

    z = soft threshold of (factor - lr * gradient) at lr * penalty
    v <- z - factor + mu * v
    factor <- max(0, z + mu * v)
    """

    def __init__(self, network: Network, groups: Sequence[ChannelGroup], penalty: float, momentum: float) -> None:
        self.penalty, self.momentum = penalty, momentum
        self.factors = {group.name: torch.ones(group.width, requires_grad=True) for group in groups}
        self.speeds = {group.name: torch.zeros(group.width) for group in groups}
        self.parts: dict[str, list[tuple[str, Slice]]] = {}
        for group in groups:
            for part in _written(group):
                self.parts.setdefault(part.layer, []).append((group.name, part))
        self.handles: list[Any] = []
        if not any(parameter.is_meta for parameter in network.module.parameters()):
            self.handles = [
                network.module.get_submodule(layer).register_forward_hook(self._hook(layer)) for layer in self.parts
            ]

    def _hook(self, layer: str) -> Any:
        def scaled(module: nn.Module, _given: Any, output: Tensor) -> Tensor:
            weight: Tensor = module.weight  # type: ignore[assignment]
            channels = len(weight) if weight.dim() == 1 or not getattr(module, "transposed", False) else output.shape[1]
            last = isinstance(module, nn.Linear)
            shape = [1] * (output.dim() - 1) + [channels] if last else [1, channels] + [1] * (output.dim() - 2)
            return output * self._along(layer, channels, output).view(shape)

        return scaled

    def _along(self, layer: str, channels: int, like: Tensor) -> Tensor:
        """The factors along a layer's output, 1 where there is none."""
        along = torch.ones(channels, dtype=like.dtype, device=like.device)
        for name, part in self.parts[layer]:
            own = self.factors[name].to(like.device, like.dtype).repeat_interleave(part.repeat)
            along = torch.cat([along[: part.start], own, along[part.start + len(own) :]])
        return along

    @torch.no_grad()
    def after_step(self, net: nn.Module, lr: float) -> None:  # noqa: ARG002
        """One step of every factor."""
        for name, factor in self.factors.items():
            if factor.grad is None:
                continue
            moved = factor - lr * factor.grad
            new = moved.sign() * (moved.abs() - lr * self.penalty).clamp(min=0)
            self.speeds[name] = new - factor + self.momentum * self.speeds[name]
            factor.copy_((new + self.momentum * self.speeds[name]).clamp(min=0))
            factor.grad = None

    @torch.no_grad()
    def finish(self, net: nn.Module) -> Mapping[str, Tensor]:
        """Multiply the factors into the weights; they are what is kept."""
        for handle in self.handles:
            handle.remove()
        for layer in self.parts:
            module = net.get_submodule(layer)
            for name, tensor in module.named_parameters(recurse=False):
                dim = 1 if name == "weight" and getattr(module, "transposed", False) else 0
                along = self._along(layer, tensor.shape[dim], tensor)
                tensor.mul_(along.view([-1 if at == dim else 1 for at in range(tensor.dim())]))
        return {name: factor.detach().clone() for name, factor in self.factors.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """Factors and how fast they move."""
        kinds = {"factor": self.factors, "speed": self.speeds}
        return {f"{kind}.{name}": one.detach() for kind, found in kinds.items() for name, one in found.items()}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The same."""
        for name, factor in self.factors.items():
            factor.copy_(state[f"factor.{name}"])
            self.speeds[name] = state[f"speed.{name}"].clone()


def _written(group: ChannelGroup) -> list[Slice]:
    """Where factors stand: at norms, or where there are none, at the layers that write to the group."""
    norms = [part for part in group.slices if part.role == "scale"]
    return norms or [part for part in group.slices if part.role == "out"]
