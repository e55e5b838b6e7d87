"""Factors beside the weights, pulled to exactly zero: what sparse structure selection learns (Huang & Wang 2018).

Each multiplies what a structure gives. It begins at 1, has no weight decay and is never negative; after training it is
multiplied into the weights. As with slimming, the penalty is chosen by how far it moves a factor that nothing holds,
whatever the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from espalier.models.config import Slice
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.errors import SpecError
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.schedule import travel

PULL = 1.5
"""How far strength 1 moves a factor that nothing else holds, over the whole training."""


class FactorOptions(Frozen):
    """Options of sparse structure selection."""

    strength: float = Field(
        default=1.0, strict=True, gt=0, le=100, description="of the L1 penalty, relative to the recipe's length"
    )


class Structures(NamedTuple):
    """Several structures of one kind, each with a factor: the channels of a group, say."""

    size: int
    parts: Sequence[Slice]
    """Where they lie in layers whose output their factors multiply."""


def factors_of(
    network: Network, structures: Mapping[str, Structures], options: FactorOptions, recipe: Recipe, steps: int
) -> Factors:
    """The factors of a network that is trained for so many steps. Raises SpecError for an optimiser that is not
    theirs."""
    if recipe.optimizer != "sgd":
        raise SpecError("the factors of sparse structure selection are learned as sgd learns weights; use sgd")
    penalty = options.strength * PULL / travel(recipe, steps)
    return Factors(network.module, structures, penalty, recipe.momentum)


class Factors(Regularizer):
    """Factors in the forward pass, learned by accelerated proximal gradient (section 3.3): with momentum mu,

    z = soft threshold of (factor - lr * gradient) at lr * penalty
    v <- z - factor + mu * v
    factor <- max(0, z + mu * v)
    """

    def __init__(self, net: nn.Module, structures: Mapping[str, Structures], penalty: float, momentum: float) -> None:
        self.penalty, self.momentum = penalty, momentum
        device = next(net.parameters()).device
        self.factors = {
            name: torch.ones(found.size, device=device, requires_grad=True) for name, found in structures.items()
        }
        self.speeds = {name: torch.zeros(found.size, device=device) for name, found in structures.items()}
        self.parts: dict[str, list[tuple[str, Slice]]] = {}
        for name, found in structures.items():
            for part in found.parts:
                self.parts.setdefault(part.layer, []).append((name, part))
        self.handles: list[Any] = []
        if not any(parameter.is_meta for parameter in net.parameters()):
            self.handles = [net.get_submodule(layer).register_forward_hook(self._hook(layer)) for layer in self.parts]

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

    @property
    def learned(self) -> Sequence[Tensor]:
        """The factors."""
        return [*self.factors.values()]

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
            self.speeds[name].copy_(state[f"speed.{name}"])
