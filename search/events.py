"""What a job tells of itself while it runs. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter

from espalier.models.document import Frozen
from espalier.search.results import FailureKind, Metrics
from espalier.search.spec import Extension
from espalier.search.states import JobState


class StateEvent(Frozen):
    """The job stands somewhere else now."""

    kind: Literal["state"] = "state"
    state: JobState
    attempt: int | None = None
    error: str | None = None


class ExtendedEvent(Frozen):
    """More was asked of a job that had ended."""

    kind: Literal["extended"] = "extended"
    added: Extension


class PreparingEvent(Frozen):
    """The job's networks are tried, to see how they are computed fastest."""

    kind: Literal["preparing"] = "preparing"


class SmokeEvent(Frozen):
    """Every arm is tried for one batch."""

    kind: Literal["smoke"] = "smoke"
    passed: int | None = Field(default=None, description="how many arms got through it; null while it is tried")


class MeasuringEvent(Frozen):
    """All is trained: now it is measured what running the networks takes."""

    kind: Literal["measuring"] = "measuring"


class TransferEvent(Frozen):
    """What the job found is carried to another target, by a job of its own; or cannot be."""

    kind: Literal["transfer"] = "transfer"
    arch: str
    dataset: str
    job: str | None = Field(default=None, description="the new job")
    error: str | None = None


class _CandidateEvent(Frozen):
    kind: Literal["candidate"] = "candidate"
    candidate: str = Field(description="its key")
    label: str


class SilentEvent(Frozen):
    """Nothing was heard for long of something that runs: it may hang."""

    kind: Literal["silent"] = "silent"
    candidate: str | None = Field(default=None, description="its key; null while the job is prepared")
    label: str
    seconds: float = Field(description="since it was last heard of")


class CandidateStarted(_CandidateEvent):
    """A candidate runs."""

    what: Literal["started"] = "started"


class CandidateFinished(_CandidateEvent):
    """A candidate has a result."""

    what: Literal["finished"] = "finished"
    accuracy: float = Field(description="the task's first metric on the test data")
    seconds: float
    taken_over: bool = Field(default=False, description="whether an earlier job had trained it")


class CandidateFailed(_CandidateEvent):
    """A candidate has none, and will have none."""

    what: Literal["failed"] = "failed"
    error: str
    failure: FailureKind = "error"


class EpochEvent(Frozen):
    """A candidate has gone through the data once more."""

    kind: Literal["epoch"] = "epoch"
    candidate: str
    label: str
    epoch: int = Field(description="from 0")
    epochs: int = Field(description="of the whole training")
    step: int | None = None
    loss: float
    accuracy: float = Field(description="the task's first metric on the hold-out")
    metrics: Metrics = Field(default_factory=dict)


def _tag(event: Any) -> str:
    """Which event it is: its kind, and of candidates what happened to them."""
    told = event if isinstance(event, Mapping) else vars(event)
    return f"{told.get('kind')} {told['what']}" if "what" in told else str(told.get("kind"))


Event = Annotated[
    Annotated[StateEvent, Tag("state")]
    | Annotated[ExtendedEvent, Tag("extended")]
    | Annotated[PreparingEvent, Tag("preparing")]
    | Annotated[SmokeEvent, Tag("smoke")]
    | Annotated[SilentEvent, Tag("silent")]
    | Annotated[MeasuringEvent, Tag("measuring")]
    | Annotated[TransferEvent, Tag("transfer")]
    | Annotated[CandidateStarted, Tag("candidate started")]
    | Annotated[CandidateFinished, Tag("candidate finished")]
    | Annotated[CandidateFailed, Tag("candidate failed")]
    | Annotated[EpochEvent, Tag("epoch")],
    Discriminator(_tag),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
