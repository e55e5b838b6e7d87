"""A client that talks to nobody."""

from __future__ import annotations

from typing import Any

from espalier.app.client.client import ClientError
from espalier.app.schemas import CostView, JobView, PlanView
from tests.app.client.values import job, planned_candidate


class FakeClient:
    """Remembers what it was asked."""

    made: tuple[str, str | None] = ("", None)
    posted: list[tuple[str, Any]] = []  # noqa: RUF012
    key: str | None = None

    def __init__(self, url: str, token: str | None = None) -> None:
        FakeClient.made = (url, token)

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def submit(self, spec: Any, idempotency_key: str | None = None) -> JobView:
        FakeClient.posted.append(("submit", spec))
        FakeClient.key = idempotency_key
        return job()

    def plan(self, spec: Any) -> PlanView:
        FakeClient.posted.append(("plan", spec))
        cost = CostView(params=1, macs=1)
        return PlanView(candidates=(planned_candidate(),), dense=cost, epochs=3, macs=1)

    def job(self, job_id: str) -> JobView:
        if job_id == "missing":
            raise ClientError("Not Found (404): no job 'missing'")
        return job()

    def jobs(self, most: int | None = None, state: str | None = None) -> list[JobView]:
        FakeClient.posted.append(("jobs", (most, state)))
        return [job()]

    def cancel(self, job_id: str) -> JobView:
        FakeClient.posted.append(("cancel", job_id))
        return job(cancel_requested=True)

    def pause(self, job_id: str) -> JobView:
        FakeClient.posted.append(("pause", job_id))
        return job(pause_requested=True)

    def resume(self, job_id: str) -> JobView:
        FakeClient.posted.append(("resume", job_id))
        return job()

    def prioritise(self, job_id: str, priority: int) -> JobView:
        FakeClient.posted.append(("prioritise", (job_id, priority)))
        return job(priority=priority)

    def retry(self, job_id: str) -> JobView:
        FakeClient.posted.append(("retry", job_id))
        return job()

    def extend(self, job_id: str, more: Any) -> JobView:
        FakeClient.posted.append(("extend", more))
        return job(id=job_id)

    def export(self, architecture: str, format: str) -> tuple[str, bytes]:
        return f"{architecture}.{format}", b"content"
