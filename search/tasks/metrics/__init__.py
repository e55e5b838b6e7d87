"""Metrics of classifiers by name, first what networks are compared by. A new one is one file and one line here."""

from __future__ import annotations

from espalier.search.tasks.metrics.accuracy import MEASURED_ACCURACY
from espalier.search.tasks.metrics.base import Measured

_ALL = (
    MEASURED_ACCURACY,
)  # fmt: skip

METRICS: dict[str, Measured] = {one.metric.name: one for one in _ALL}
