"""From what is stored to what is answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from espalier.app.schemas import (
    ArchitectureView,
    CandidateView,
    CellView,
    CostView,
    EventView,
    FoundView,
    JobView,
    MeasuredView,
    Page,
    PlannedCandidate,
    PlanView,
)
from espalier.models.config import LayerCost
from espalier.search.answers.values import Sample, sample
from espalier.search.candidates import Arm, Candidate
from espalier.search.estimate import PlanEstimate
from espalier.search.results import Latency
from espalier.search.spec import JobSpec
from espalier.search.states import CandidateState, JobState
from espalier.storage.architectures import Found, config_of
from espalier.storage.candidates import Progress, candidate_of, result_of
from espalier.storage.events import event_of
from espalier.storage.tables import ArchitectureRow, CandidateRow, EventRow, JobRow

ItemT = TypeVar("ItemT")


class BadCursor(ValueError):
    """A cursor that no page gave out."""


def cursor(position: int) -> str:
    """A position as an opaque text."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def position(text: str | None) -> int | None:
    """The position in a cursor. Raises BadCursor."""
    if text is None:
        return None
    try:
        value = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except ValueError as error:
        raise BadCursor(f"cursor {text[:50]!r} is none that a page gave out") from error
    if type(value) is not int or not 0 <= value < 2**53:
        raise BadCursor(f"cursor {text[:50]!r} is none that a page gave out")
    return value


def page(items: Sequence[ItemT], limit: int, following: int) -> Page[ItemT]:
    """A page of up to `limit` out of `items`, which were fetched with one to spare."""
    return Page(items=tuple(items[:limit]), next_cursor=cursor(following) if len(items) > limit else None)


def job_view(job: JobRow, progress: Progress) -> JobView:
    """A job for its user."""
    state = JobState(job.state)
    eta = None
    if state is JobState.RUNNING and progress.running and progress.seconds:
        left = progress.total - progress.done - progress.running / 2  # those that run are half done, on average
        eta = progress.seconds / progress.done * left / progress.running
    same = ("id", "name", "created_at", "started_at", "finished_at", "attempts", "cancel_requested", "pause_requested",
            "priority", "error", "submitted_by")  # fmt: skip
    fraction = progress.done / progress.total if progress.total else 1.0
    told = {"done": progress.done, "failed": progress.failed, "running": progress.running, "total": progress.total}
    return JobView.model_validate(
        {name: getattr(job, name) for name in same}
        | {
            "state": state,
            "spec": JobSpec.as_stored(job.spec),  # which is read with the rest: a list has hundreds
            "progress": told | {"fraction": fraction, "eta_seconds": eta},
        }
    )


def _head(candidate: Candidate) -> dict[str, Any]:
    """The fields of `CandidateHead`."""
    return {
        "key": candidate.key,
        "label": candidate.label,
        "arm": candidate.arm,
        "origin": candidate.origin.kind,
        "method": candidate.method,
        "budget": candidate.budget,
        "seed": candidate.seed,
        "init": candidate.init,
        "match": candidate.recipe.match,
        "lr": candidate.recipe.lr,
    }


def plan_view(estimate: PlanEstimate, rate: float | None) -> PlanView:
    """What a spec would run, and how long that takes at so many multiply-adds a second."""
    return PlanView(
        candidates=tuple(PlannedCandidate(epochs=one.recipe.epochs, **_head(one)) for one in estimate.candidates),
        most=estimate.most,
        dense=CostView(**estimate.dense._asdict()),
        epochs=estimate.epochs,
        macs=estimate.macs,
        seconds=None if rate is None else estimate.macs / rate,
    )


def candidate_view(row: CandidateRow) -> CandidateView:
    """A candidate for its user."""
    fields = ("architecture", "params", "macs", "latency_ms", "holdout", "accuracy", "seconds", "error", "failure")
    result = result_of(row)
    return CandidateView(
        **_head(candidate_of(row)),
        state=CandidateState(row.state),
        ran=result.ran if result else None,
        ledger=result.ledger if result else None,
        made_by=result.made_by if result else None,
        **{name: getattr(row, name) for name in fields},
    )


def event_view(row: EventRow) -> EventView:
    """An event for its user."""
    return EventView(id=row.id, at=row.at, event=row.kind, data=event_of(row))


def event_data(view: EventView) -> dict[str, Any]:
    """The data of an event as it is sent: what is not there is left out."""
    return view.data.model_dump(mode="json", exclude={"kind"}, exclude_none=True)


def found_view(found: Found) -> FoundView:
    """An architecture in a list."""
    values = found._asdict()
    mean, square, n, job = (values.pop(name) for name in ("mean", "square", "n", "job_id"))
    arm, name, role = (values.pop(field) for field in ("arm", "arm_name", "role"))
    variance = max(0.0, square - mean * mean) * n / (n - 1) if n > 1 else None
    accuracy = Sample(mean=mean, std=variance**0.5 if variance is not None else None, n=n)
    return FoundView(**values, arm=Arm(id=arm, name=name, label=name, role=role), accuracy=accuracy, job=job)


def architecture_view(
    row: ArchitectureRow,
    candidates: Sequence[CandidateRow],
    layers: Sequence[LayerCost],
    latency: Sequence[Latency],
    has: Callable[[str], bool],
) -> ArchitectureView:
    """An architecture for its user; `has` tells whether the store has an artifact."""
    trained = {c.key: c for c in candidates if c.result is not None}  # a candidate in two jobs is one measurement
    cells: dict[str | None, list[CandidateRow]] = {}
    for one in trained.values():
        cells.setdefault(one.arm, []).append(one)
    return ArchitectureView(
        id=row.id,
        config=config_of(row),
        cost=CostView(params=row.params, macs=row.macs),
        layers=tuple(layers),
        latency=tuple(latency),
        accuracy=tuple(_cell(rows) for rows in cells.values()),
        results=tuple(_measured(one, has) for one in trained.values()),
    )


def _cell(rows: Sequence[CandidateRow]) -> CellView:
    candidate = candidate_of(rows[0])
    return CellView(
        arm=candidate.arm,
        dataset=rows[0].dataset,
        origin=candidate.origin.kind,
        method=candidate.method,
        init=candidate.init,
        epochs=candidate.recipe.epochs,
        accuracy=sample([row.accuracy for row in rows if row.accuracy is not None]),
    )


def _measured(row: CandidateRow, has: Callable[[str], bool]) -> MeasuredView:
    result = result_of(row)
    assert result is not None
    return MeasuredView(
        **_head(candidate_of(row)),
        job=row.job_id,
        dataset=row.dataset,
        metric=result.metric,
        holdout=result.chosen_by,
        accuracy=result.reported,
        metrics={"holdout": result.holdout, "test": result.test},
        latency_ms=result.latency_ms,
        seconds=result.seconds,
        curve=result.curve,
        ran=result.ran,
        ledger=result.ledger,
        has_weights=result.weights is not None and has(result.weights),
        made_by=result.made_by,
    )
