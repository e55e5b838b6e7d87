"""A metric: how often the second answer would be right."""

from __future__ import annotations

from torch import Tensor

from espalier.search.results import Metric
from espalier.search.tasks.metrics.base import Measured


def _is_second(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.argsort(1, descending=True)[:, 1] == labels


MEASURED_SECOND = Measured(Metric(name="second"), _is_second)
