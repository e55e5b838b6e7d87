"""Cross entropy: minus the log of what a network gives the right class."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from espalier.search.results import Metric
from espalier.search.tasks.metrics.base import Measured


def _of_each(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), labels, reduction="none")


MEASURED_CROSS_ENTROPY = Measured(Metric(name="cross_entropy", unit="nats", higher_is_better=False), _of_each)
