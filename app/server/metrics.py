"""The service's numbers, read from the database when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from espalier.search.states import CandidateState, JobState
from espalier.storage.tables import CandidateRow, JobRow


class JobCollector(Collector):
    """Jobs and candidates by state, and the seconds spent training."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self) -> Iterator[Metric]:
        """The current numbers."""
        yield self._by_state("espalier_jobs", "Jobs by state", JobRow.state, list(JobState))
        yield self._by_state("espalier_candidates", "Candidates by state", CandidateRow.state, list(CandidateState))
        seconds = self._session.scalar(sa.select(sa.func.coalesce(sa.func.sum(CandidateRow.seconds), 0.0)))
        yield GaugeMetricFamily("espalier_training_seconds", "Training time of stored results", value=seconds)

    def _by_state(self, name: str, text: str, column: sa.orm.InstrumentedAttribute[str], states: object) -> Metric:
        rows = self._session.execute(sa.select(column, sa.func.count()).group_by(column))
        counts = {state: count for state, count in rows}  # noqa: C416  (rows are tuples, but not typed as pairs)
        family = GaugeMetricFamily(name, text, labels=["state"])
        for state in states:  # type: ignore[attr-defined]
            family.add_metric([str(state)], counts.get(str(state), 0))
        return family


def registry(session: Session) -> CollectorRegistry:
    """What Prometheus reads."""
    result = CollectorRegistry()
    result.register(JobCollector(session))
    return result
