"""The service's numbers for Prometheus: of its jobs as the database has them, and of this process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from espalier.search.states import CandidateState, JobState
from espalier.storage import candidates, jobs, runners
from espalier.storage.tables import CandidateRow, JobRow

METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class JobCollector(Collector):
    """Jobs and candidates by state, the queue, runners, and how training goes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self) -> Iterator[Metric]:
        """The current numbers."""
        jobs_by_state = sa.select(JobRow.state, sa.func.count()).group_by(JobRow.state)
        yield _by_state("espalier_jobs", "Jobs by state", JobState, dict(self._session.execute(jobs_by_state).all()))
        yield from self._candidates()
        yield self._failures()
        waiting = jobs.longest_wait(self._session)
        yield GaugeMetricFamily("espalier_queue_seconds", "How long the first job in the queue has waited", waiting)
        alive = runners.alive(self._session)
        yield GaugeMetricFamily("espalier_runners", "Runners that were heard of in the last seconds", alive)
        if pace := candidates.pace(self._session):
            images = "Images a second of one training, over the last of them"
            yield GaugeMetricFamily("espalier_images_per_second", images, pace.images_per_second)
            each = "Seconds that one training took, over the last of them"
            yield GaugeMetricFamily("espalier_seconds_per_candidate", each, pace.seconds)

    def _candidates(self) -> Iterator[Metric]:
        """How many are in each state, and how long they were trained: one walk over an index."""
        c = CandidateRow
        each = sa.select(c.state, sa.func.count(), sa.func.sum(c.seconds)).group_by(c.state)
        rows = self._session.execute(each).all()
        counts = {state: count for state, count, _ in rows}
        yield _by_state("espalier_candidates", "Candidates by state", CandidateState, counts)
        seconds = sum(seconds or 0.0 for _, _, seconds in rows)
        yield GaugeMetricFamily("espalier_training_seconds", "Training time of stored results", seconds)

    def _failures(self) -> Metric:
        """How many candidates failed, by why and what they are."""
        why = sa.func.coalesce(CandidateRow.failure, "error")
        failed = sa.select(why, CandidateRow.origin, sa.func.count()).where(CandidateRow.state == CandidateState.FAILED)
        family = GaugeMetricFamily("espalier_failures", "Failed candidates by kind and arm", labels=["kind", "origin"])
        for kind, origin, count in self._session.execute(failed.group_by(why, CandidateRow.origin)):
            family.add_metric([kind, origin], count)
        return family


def _by_state(name: str, text: str, states: Iterable[str], counts: Mapping[str, int]) -> Metric:
    """How many there are in each state; 0 of those that none is in."""
    family = GaugeMetricFamily(name, text, labels=["state"])
    for state in states:
        family.add_metric([str(state)], counts.get(state, 0))
    return family


class Times:
    """How long requests and database statements of this process take. Requests are named by their route, so that no
    job's id and nobody's words are in a label."""

    def __init__(self) -> None:
        self.requests = Histogram(
            "espalier_request_seconds", "Until the last byte was sent", ["method", "route", "status"],
            buckets=SECONDS, registry=None,
        )  # fmt: skip
        self.statements = Histogram(
            "espalier_database_seconds", "Until the database answered a statement", buckets=SECONDS, registry=None
        )

    def watch(self, engine: sa.Engine) -> None:
        """Time the statements of a database."""

        @sa.event.listens_for(engine, "before_cursor_execute")
        def _begin(*told: object) -> None:
            told[4]._espalier_began = time.perf_counter()  # type: ignore[attr-defined]

        @sa.event.listens_for(engine, "after_cursor_execute")
        def _end(*told: object) -> None:
            self.statements.observe(time.perf_counter() - told[4]._espalier_began)  # type: ignore[attr-defined]


class TimeRequests:
    """Notes how long every request takes. Streams of events, which end when their job does, are left out."""

    def __init__(self, app: ASGIApp, times: Times) -> None:
        self.app = app
        self.times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, is_stream = time.perf_counter(), 500, False

        async def noted(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            if not is_stream:
                method = scope["method"] if scope["method"] in METHODS else "other"
                route = getattr(scope.get("route"), "path", "none")
                self.times.requests.labels(method, route, str(status)).observe(time.perf_counter() - began)


def registry(session: Session, times: Times | None = None) -> CollectorRegistry:
    """What Prometheus reads."""
    result = CollectorRegistry()
    result.register(JobCollector(session))
    if times is not None:
        ProcessCollector(registry=result)
        PlatformCollector(registry=result)
        result.register(times.requests)
        result.register(times.statements)
    return result
