"""Metrics of classifiers by name, first what networks are compared by. A new one is one file and one line here."""

from __future__ import annotations

from espalier.search.tasks.metrics.accuracy import MEASURED_ACCURACY
from espalier.search.tasks.metrics.base import Measured
from espalier.search.tasks.metrics.cross_entropy import MEASURED_CROSS_ENTROPY

_ALL = (
    MEASURED_ACCURACY,
    MEASURED_CROSS_ENTROPY,
)  # fmt: skip

METRICS: dict[str, Measured] = {one.metric.name: one for one in _ALL}
