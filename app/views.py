"""What the routes answer with, and how it is made from what is stored."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, JsonValue

from espalier.models.config import ChannelConfig
from espalier.search.types import Budget, Candidate, Efficiency, Epoch, Init, JobSpec, MadeBy, Sample, Verdict
from espalier.search.verdict import sample
from espalier.storage.jobs import JobState
from espalier.storage.results import Found, Progress
from espalier.storage.tables import ArchitectureRow, CandidateRow, EventRow, JobRow

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """Some items, and where the next ones begin."""

    items: list[ItemT]
    next_cursor: str | None = Field(description="give this as `cursor` for the next page; null at the end")


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
    return Page(items=list(items[:limit]), next_cursor=cursor(following) if len(items) > limit else None)


class ProgressView(BaseModel):
    """How far a job is."""

    done: int
    running: int
    total: int
    fraction: float
    eta_seconds: float | None = Field(description="if each takes as long as those done before; null while none is")


class JobView(BaseModel):
    """One submitted search and where it stands."""

    id: str
    name: str
    state: JobState
    spec: JobSpec
    progress: ProgressView
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int = Field(description="how often a runner took it up")
    cancel_requested: bool
    error: str | None


def job_view(job: JobRow, progress: Progress) -> JobView:
    """A job for its user."""
    state = JobState(job.state)
    eta = None
    if state is JobState.RUNNING and progress.running and progress.seconds:
        left = progress.total - progress.done - progress.running / 2  # those that run are half done, on average
        eta = progress.seconds / progress.done * left / progress.running
    return JobView(
        id=job.id,
        name=job.name,
        state=state,
        spec=JobSpec.model_validate(job.spec),
        progress=ProgressView(
            done=progress.done,
            running=progress.running,
            total=progress.total,
            fraction=progress.done / progress.total if progress.total else 1.0,
            eta_seconds=eta,
        ),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        attempts=job.attempts,
        cancel_requested=job.cancel_requested,
        error=job.error,
    )


class CandidateHead(BaseModel):
    """Which candidate it is."""

    key: str
    label: str
    origin: str
    method: str | None
    budget: Budget | None
    seed: int
    init: Init


class PlannedCandidate(CandidateHead):
    """A candidate that a spec would run."""

    epochs: int


class CostView(BaseModel):
    """What a network costs."""

    params: int
    macs: int


class PlanView(BaseModel):
    """What a spec would run."""

    candidates: list[PlannedCandidate]
    dense: CostView
    epochs: int = Field(description="of all candidates together")
    macs: int = Field(description="multiply-adds of all training; pruned networks taken to cost what uniform ones do")


def _head(candidate: Candidate) -> dict[str, Any]:
    """The fields of `CandidateHead`."""
    return {
        "key": candidate.key,
        "label": candidate.label,
        "origin": candidate.origin.kind,
        "method": candidate.method,
        "budget": candidate.budget,
        "seed": candidate.seed,
        "init": candidate.init,
    }


def planned(candidate: Candidate) -> PlannedCandidate:
    """A candidate before it runs."""
    return PlannedCandidate(epochs=candidate.recipe.epochs, **_head(candidate))


class CandidateView(CandidateHead):
    """A candidate and what came of it."""

    state: str
    architecture: str | None
    params: int | None
    macs: int | None
    latency_ms: float | None
    holdout: float | None
    accuracy: float | None
    seconds: float | None
    made_by: MadeBy | None
    error: str | None


def candidate_view(row: CandidateRow) -> CandidateView:
    """A candidate for its user."""
    fields = ("state", "architecture", "params", "macs", "latency_ms", "holdout", "accuracy", "seconds", "error")
    made_by = MadeBy.model_validate(row.result["made_by"]) if row.result else None
    values = {name: getattr(row, name) for name in fields}
    return CandidateView(**_head(Candidate.model_validate(row.candidate)), made_by=made_by, **values)


class EventView(BaseModel):
    """Something that happened to a job."""

    id: int
    at: datetime
    event: str = Field(description="state, candidate or epoch")
    data: dict[str, JsonValue]


def event_view(row: EventRow) -> EventView:
    """An event for its user."""
    return EventView(id=row.id, at=row.at, event=row.kind, data=row.data)


class VerdictView(BaseModel):
    """Is automatic pruning better? By budget, by cost at equal accuracy, and in words."""

    verdicts: list[Verdict]
    efficiency: list[Efficiency]
    summary: str


class FoundView(BaseModel):
    """One architecture on one data set, its accuracy over seeds."""

    id: str
    arch: str
    dataset: str
    origin: str
    method: str | None
    init: Init
    conditions: str = Field(description="names recipe and data; accuracies under different ones are not averaged")
    params: int
    macs: int
    latency_ms: float | None
    accuracy: Sample
    job: str


def found_view(found: Found) -> FoundView:
    """An architecture in a list."""
    values = found._asdict()
    mean, square, n = values.pop("mean"), values.pop("square"), values.pop("n")
    variance = max(0.0, square - mean * mean) * n / (n - 1) if n > 1 else None
    accuracy = Sample(mean=mean, std=variance**0.5 if variance is not None else None, n=n)
    return FoundView(**{k: v for k, v in values.items() if k != "job_id"}, accuracy=accuracy, job=found.job_id)


class LayerView(BaseModel):
    """What one layer costs."""

    layer: str
    type: str
    inputs: int
    outputs: int
    kernel: list[int]
    stride: list[int]
    groups: int
    params: int
    macs: int


class CellView(BaseModel):
    """Trainings of one architecture that differ in nothing but the seed."""

    dataset: str
    origin: str
    method: str | None
    init: Init
    epochs: int
    accuracy: Sample


class MeasuredView(CandidateHead):
    """One training of an architecture."""

    job: str
    dataset: str
    holdout: float
    accuracy: float
    latency_ms: float
    seconds: float
    curve: list[Epoch]
    has_weights: bool
    made_by: MadeBy


class ArchitectureView(BaseModel):
    """An architecture: its config, what each layer costs, and what training it showed."""

    id: str
    config: ChannelConfig
    cost: CostView
    layers: list[LayerView]
    accuracy: list[CellView] = Field(description="over seeds, apart for everything else that counts")
    results: list[MeasuredView]


def architecture_view(
    row: ArchitectureRow, candidates: Sequence[CandidateRow], layers: list[dict[str, Any]]
) -> ArchitectureView:
    """An architecture for its user."""
    trained = {c.key: c for c in candidates if c.result is not None}  # a candidate in two jobs is one measurement
    cells: dict[tuple[str | None, ...], list[CandidateRow]] = {}
    for one in trained.values():
        cells.setdefault((one.dataset, one.origin, one.method, one.init, one.conditions), []).append(one)
    return ArchitectureView(
        id=row.id,
        config=ChannelConfig.model_validate(row.config),
        cost=CostView(params=row.params, macs=row.macs),
        layers=[LayerView.model_validate(layer) for layer in layers],
        accuracy=[_cell(rows) for rows in cells.values()],
        results=[_measured(one) for one in trained.values()],
    )


def _cell(rows: Sequence[CandidateRow]) -> CellView:
    candidate = Candidate.model_validate(rows[0].candidate)
    return CellView(
        dataset=rows[0].dataset,
        origin=rows[0].origin,
        method=rows[0].method,
        init=candidate.init,
        epochs=candidate.recipe.epochs,
        accuracy=sample([row.accuracy for row in rows if row.accuracy is not None]),
    )


def _measured(row: CandidateRow) -> MeasuredView:
    assert row.result is not None
    return MeasuredView(
        **_head(Candidate.model_validate(row.candidate)),
        job=row.job_id,
        dataset=row.dataset,
        holdout=row.result["holdout"],
        accuracy=row.result["accuracy"],
        latency_ms=row.result["latency_ms"],
        seconds=row.result["seconds"],
        curve=[Epoch.model_validate(point) for point in row.result["curve"]],
        has_weights=row.weights is not None,
        made_by=MadeBy.model_validate(row.result["made_by"]),
    )


class CatalogEntry(BaseModel):
    """A name, what it is, and what can be set."""

    name: str
    description: str
    options: dict[str, JsonValue] | None = Field(default=None, description="JSON schema of the options")
    recipes: dict[str, dict[str, JsonValue]] | None = Field(default=None, description="presets of a data set")


class GroupView(BaseModel):
    """A channel group of an architecture."""

    name: str
    width: int
    floor: int
    stage: int
    layers: list[str]


class FrozenView(BaseModel):
    """A layer that stays dense, and why."""

    layer: str
    reason: str


class Shares(BaseModel):
    """Shares in [0, 1]."""

    params: float
    macs: float


class CatalogArchitecture(BaseModel):
    """What can be pruned of an architecture."""

    name: str
    classes: int
    shape: tuple[int, int, int]
    cost: CostView
    groups: list[GroupView]
    prunable: Shares
    frozen: list[FrozenView]
