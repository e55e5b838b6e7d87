"""What a metric of classifiers is: a number for each example, of which the mean is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from espalier.search.results import Metric


class Measured(NamedTuple):
    """A metric, and how it is measured."""

    metric: Metric
    of_each: Callable[[Tensor, Tensor], Tensor]
    """(logits [n, classes], labels [n]) -> [n]."""
