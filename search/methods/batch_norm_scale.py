"""Batch-norm scales as they are, after a training without a penalty: what slimming's sparsity is held against."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from espalier.models.config import ChannelGroup
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.slimming import ScaleOptions, passing_norms, scale_scores
from espalier.search.scores import Scores


class BatchNormScale(PruningMethod[ScaleOptions]):
    """Ranks channels by the scale of their batch norm, like slimming, after an ordinary training."""

    Options = ScaleOptions

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that pass a batch norm."""
        return passing_norms(network, "batch_norm_scale")

    @torch.no_grad()
    def score(self, parent: Parent) -> Scores:
        """|gamma| of the batch norms a channel passes, made one."""
        return scale_scores(parent.network, self.options.across)
