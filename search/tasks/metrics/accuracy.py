"""Accuracy: the share of examples whose largest logit is their label."""

from __future__ import annotations

from torch import Tensor

from espalier.search.results import ACCURACY
from espalier.search.tasks.metrics.base import Measured


def _is_right(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.argmax(1) == labels


MEASURED_ACCURACY = Measured(ACCURACY, _is_right)
