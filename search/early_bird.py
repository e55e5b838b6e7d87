"""Stopping a parent's training once its mask no longer changes (You et al. 2020, 1909.11957, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from espalier.search.regularizer import Regularizer
from espalier.search.scores import Scores

KEEP = 0.5
"""Share of all channels that the mask keeps whose changes are looked at."""


class EarlyBird(Regularizer):
    """Has training end after an epoch in which the masks of so many epochs were all as good as the same. It remembers
    them."""

    def __init__(self, score: Callable[[], Scores], tolerance: float, window: int) -> None:
        self.score, self.tolerance, self.window = score, tolerance, window
        self.masks = torch.empty(0, 0, dtype=torch.bool)
        """Of the last epochs, [epochs, channels]."""

    def after_epoch(self, net: nn.Module) -> None:  # noqa: ARG002  (the scores are the network's)
        """Note the mask of the channels as they are now."""
        values = torch.cat([one.flatten() for one in self.score().values()])
        mask = torch.zeros(1, len(values), dtype=torch.bool)
        mask[0, torch.sort(values, descending=True, stable=True).indices[: round(KEEP * len(values))]] = True
        self.masks = torch.cat([self.masks, mask] if self.masks.numel() else [mask])[-self.window :]

    def is_done(self) -> bool:
        """Whether the mask differed from each of the last epochs' by no more than the tolerance."""
        if len(self.masks) < self.window:
            return False
        distances = (self.masks != self.masks[-1]).double().mean(1)
        return float(distances.max()) <= self.tolerance

    def state_dict(self) -> dict[str, Tensor]:
        """The masks."""
        return {"masks": self.masks.to(torch.uint8)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The masks."""
        self.masks = state["masks"].to(torch.bool)
