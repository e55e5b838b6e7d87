"""Random scores: the sanity check that any ranking has to pass."""

from __future__ import annotations

import torch
from pydantic import Field

from espalier.models.document import Frozen
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.scores import Scores


class RandomScoresOptions(Frozen):
    """Options of random scores."""

    draw: int = Field(default=0, strict=True, ge=0, lt=2**31, description="by which they are drawn")


class RandomScores(PruningMethod[RandomScoresOptions]):
    """Ranks channels by numbers that are drawn, whatever the parent."""

    Options = RandomScoresOptions
    is_informed = False

    def score(self, parent: Parent) -> Scores:
        """Numbers from U(0, 1), of each channel by itself."""
        generator = torch.Generator().manual_seed(self.options.draw)
        return {group.name: torch.rand(group.width, generator=generator) for group in parent.network.groups}
