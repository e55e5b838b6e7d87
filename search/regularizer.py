"""What training must respect besides the data: a penalty, a projection, and the state of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from espalier.models.weight_mask import WeightMask


class Regularizer:
    """Hooks into the training loop; each does nothing unless it is written. What it remembers from step to step is its
    state, which is saved and restored with the training."""

    @property
    def learned(self) -> Sequence[Tensor]:
        """What it learns by gradients beside the weights."""
        return ()

    def before_step(self, net: nn.Module) -> None:
        """Add to the gradients, after the backward pass and before the optimiser's step."""

    def after_step(self, net: nn.Module, lr: float) -> None:
        """Change the weights after the optimiser's step."""

    def after_epoch(self, net: nn.Module) -> None:
        """Change the weights after a pass over the data."""

    def finish(self, net: nn.Module) -> Mapping[str, Tensor]:  # noqa: ARG002
        """After training, put into the weights what stood beside them; what of it is to be kept, by name."""
        return {}

    def is_done(self) -> bool:
        """Whether training may end here, at the end of an epoch."""
        return False

    def state_dict(self) -> dict[str, Tensor]:
        """What it remembers."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Remember it again."""


class Masked(Regularizer):
    """Weights that a mask does not keep stay zero, whatever momentum and decay do. It remembers nothing."""

    def __init__(self, mask: WeightMask, net: nn.Module) -> None:
        self.parameters: list[Tensor] = [net.get_parameter(name) for name in mask.kept]
        pairs = zip(self.parameters, mask.kept.values(), strict=True)
        self.factors: Any = [kept.to(parameter.device, parameter.dtype) for parameter, kept in pairs]

    @torch.no_grad()
    def after_step(self, net: nn.Module, lr: float) -> None:  # noqa: ARG002
        """Zero again what a step moved."""
        torch._foreach_mul_(self.parameters, self.factors)


class Together(Regularizer):
    """Several, each after the one before; their states lie side by side."""

    def __init__(self, parts: Sequence[Regularizer]) -> None:
        self.parts = parts

    @property
    def learned(self) -> Sequence[Tensor]:
        return [tensor for part in self.parts for tensor in part.learned]

    def before_step(self, net: nn.Module) -> None:
        for part in self.parts:
            part.before_step(net)

    def after_step(self, net: nn.Module, lr: float) -> None:
        for part in self.parts:
            part.after_step(net, lr)

    def after_epoch(self, net: nn.Module) -> None:
        for part in self.parts:
            part.after_epoch(net)

    def finish(self, net: nn.Module) -> Mapping[str, Tensor]:
        return {name: kept for part in self.parts for name, kept in part.finish(net).items()}

    def is_done(self) -> bool:
        return any(part.is_done() for part in self.parts)

    def state_dict(self) -> dict[str, Tensor]:
        return {
            f"{index}.{name}": value
            for index, part in enumerate(self.parts)
            for name, value in part.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        for index, part in enumerate(self.parts):
            own = f"{index}."
            part.load_state_dict({name.removeprefix(own): v for name, v in state.items() if name.startswith(own)})
