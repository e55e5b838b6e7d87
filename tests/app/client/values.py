"""Answers of a service, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from espalier.app.schemas import JobView, PlannedCandidate, ProgressView
from espalier.search.spec import JobSpec
from espalier.search.states import JobState
from tests.search.helpers import candidate

SPEC = JobSpec.model_validate({"target": {"arch": "vgg11", "dataset": "digits"}})


def job(**changes: Any) -> JobView:
    """A job that waits."""
    values: dict[str, Any] = {
        "id": "x",
        "name": "a job",
        "state": JobState.QUEUED,
        "spec": SPEC,
        "progress": ProgressView(done=0, running=0, total=3, fraction=0.0, eta_seconds=None),
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "started_at": None,
        "finished_at": None,
        "attempts": 0,
        "cancel_requested": False,
        "error": None,
    }
    return JobView(**(values | changes))


def planned_candidate(kind: str = "dense", epochs: int = 3, **changes: Any) -> PlannedCandidate:
    """A candidate of a plan."""
    one = candidate(kind, **changes)
    return PlannedCandidate(
        key=one.key,
        label=one.label,
        arm=one.arm,
        origin=one.origin.kind,
        method=one.method,
        budget=one.budget,
        seed=one.seed,
        init=one.init,
        epochs=epochs,
    )
