"""What training must respect besides the data: a penalty, a projection, and the state of both."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class Regularizer:
    """Hooks into the training loop; each does nothing unless it is written. What it remembers from step to step is its
    state, which is saved and restored with the training."""

    def before_step(self, net: nn.Module) -> None:
        """Add to the gradients, after the backward pass and before the optimiser's step."""

    def after_step(self, net: nn.Module, lr: float) -> None:
        """Change the weights after the optimiser's step."""

    def after_epoch(self, net: nn.Module) -> None:
        """Change the weights after a pass over the data."""

    def state_dict(self) -> dict[str, Tensor]:
        """What it remembers."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Remember it again."""
