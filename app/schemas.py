"""What the API answers with where it is more than a value of the search. Server and client share these types."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import Field, JsonValue

from espalier.models.config import MINIMUM_KEEP, ChannelConfig, LayerCost
from espalier.models.document import Frozen
from espalier.search.answers.values import Sample
from espalier.search.candidates import Arm
from espalier.search.events import Event
from espalier.search.recipe import FineTuning, Match
from espalier.search.results import CurvePoint, FailureKind, Latency, Ledger, MadeBy, Metric, Metrics, Ran
from espalier.search.spec import Budget, Init, JobSpec, Ratios, Share, Target
from espalier.search.states import CandidateState, JobState

ItemT = TypeVar("ItemT")


class Page(Frozen, Generic[ItemT]):
    """Some items, and where the next ones begin."""

    items: tuple[ItemT, ...]
    next_cursor: str | None = Field(description="give this as `cursor` for the next page; null at the end")


class Health(Frozen):
    """It is up."""

    status: str = "ok"


# --- jobs -----------------------------------------------------------------------------------------------------------


class ProgressView(Frozen):
    """How far a job is."""

    done: int = Field(description="succeeded or failed")
    failed: int = 0
    running: int
    total: int
    fraction: float
    eta_seconds: float | None = Field(description="if each takes as long as those done before; null while none is")


class JobView(Frozen):
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
    pause_requested: bool = False
    priority: int = Field(default=0, description="queued jobs with more of it are begun first")
    error: str | None
    submitted_by: str | None = Field(default=None, description="name of the token; null for the service's own")

    @property
    def called(self) -> str:
        """What people see it by: its name, or its id where it has none to be seen."""
        return self.name.strip() or self.id

    @property
    def standing(self) -> str:
        """Its state, or where it is going while it still runs."""
        if self.state is JobState.RUNNING and (self.cancel_requested or self.pause_requested):
            return "cancelling" if self.cancel_requested else "pausing"
        return self.state


class Priority(Frozen):
    """When a job is begun, among those that wait."""

    priority: int = Field(strict=True, ge=-100, le=100, description="0 at first; more goes first")


class CandidateHead(Frozen):
    """Which candidate it is."""

    key: str
    label: str
    arm: Arm
    origin: str
    method: str | None
    budget: Budget | Ratios | None
    seed: int
    init: Init
    match: Match = "epochs"
    lr: float = Field(default=0.0, description="peak learning rate")


class PlannedCandidate(CandidateHead):
    """A candidate that a spec would run."""

    epochs: int


class CostView(Frozen):
    """What a network costs."""

    params: int
    macs: int


class PlanView(Frozen):
    """What a spec would run."""

    candidates: tuple[PlannedCandidate, ...] = Field(description="those that its planner asks for first")
    most: int | None = Field(default=None, description="candidates that it may ask for in all, later ones too")
    dense: CostView
    epochs: int = Field(description="of those candidates together")
    macs: int = Field(description="multiply-adds of all training; pruned networks taken to cost what uniform ones do")
    seconds: float | None = Field(
        default=None,
        description="that it takes here at least, by the rate of what was trained so far; null before anything was",
    )


class CandidateView(CandidateHead):
    """A candidate and what came of it."""

    state: CandidateState
    architecture: str | None
    params: int | None
    macs: int | None
    latency_ms: float | None
    holdout: float | None
    accuracy: float | None
    seconds: float | None
    ran: Ran | None
    ledger: Ledger | None = None
    made_by: MadeBy | None
    error: str | None
    failure: FailureKind | None = Field(default=None, description="what kind of error that is")


class EventView(Frozen):
    """Something that happened to a job."""

    id: int
    at: datetime
    event: str = Field(description="state, preparing, candidate, epoch, silent, measuring or transfer")
    data: Event


# --- architectures --------------------------------------------------------------------------------------------------


class FoundView(Frozen):
    """One architecture on one data set, its accuracy over seeds."""

    id: str
    arch: str
    dataset: str
    arm: Arm
    origin: str
    method: str | None
    init: Init
    conditions: str = Field(description="names recipe and data; accuracies under different ones are not averaged")
    params: int
    macs: int
    latency_ms: float | None
    accuracy: Sample
    job: str


class CellView(Frozen):
    """Trainings of one architecture in one arm: they differ in nothing but the seed."""

    arm: Arm
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
    metric: Metric
    holdout: float
    accuracy: float
    metrics: dict[str, Metrics] = Field(description="every metric, on the hold-out and on the test data")
    latency_ms: float
    seconds: float
    curve: tuple[CurvePoint, ...]
    ran: Ran
    ledger: Ledger | None = None
    has_weights: bool
    made_by: MadeBy


class ArchitectureView(Frozen):
    """An architecture: its config, what each layer costs, and what training it showed."""

    id: str
    config: ChannelConfig
    cost: CostView
    layers: tuple[LayerCost, ...]
    latency: tuple[Latency, ...] = Field(description="as the newest job measured it when all was trained")
    accuracy: tuple[CellView, ...] = Field(description="over seeds, apart for everything else that counts")
    results: tuple[MeasuredView, ...]


# --- patterns -------------------------------------------------------------------------------------------------------


class Application(Frozen):
    """Where a pattern is to be followed."""

    target: Target
    budget: Budget
    minimum_keep: Share = Field(default=MINIMUM_KEEP, description="least share of each group's channels that stays")


class AppliedView(Frozen):
    """What a pattern gives there."""

    config: ChannelConfig
    cost: CostView
    dense: CostView = Field(description="of the whole network")


# --- the catalog ----------------------------------------------------------------------------------------------------


class CatalogEntry(Frozen):
    """A name, what it is, and what can be set."""

    name: str
    description: str
    options: dict[str, JsonValue] | None = Field(default=None, description="JSON schema of the options")
    recipes: dict[str, dict[str, JsonValue]] | None = Field(default=None, description="presets of a data set")
    role: str | None = Field(default=None, description="of an arm: parent, reference, automatic or baseline")
    finds_widths: bool | None = Field(
        default=None, description="of a method: whether it finds how many channels each group keeps, or is given it"
    )
    grain: str | None = Field(
        default=None, description="of a method: what it ranks: 'channel', 'block' (residual ones, whole) or 'weight'"
    )
    fine_tuning: FineTuning | None = Field(
        default=None, description="of a method: how inherited weights are trained on where a job says nothing"
    )
    metrics: tuple[Metric, ...] | None = Field(default=None, description="of a task, first what networks are chosen by")


class GroupView(Frozen):
    """A channel group of an architecture."""

    name: str
    width: int
    floor: int = Field(description="channels that always stay, unless asked otherwise")
    stage: int
    layers: list[str]


class KeptView(Frozen):
    """A layer that stays dense, and why."""

    layer: str
    reason: str


class Shares(Frozen):
    """Shares in [0, 1]."""

    params: float
    macs: float


class CatalogArchitecture(Frozen):
    """What can be pruned of an architecture."""

    name: str
    classes: int
    shape: tuple[int, ...]
    cost: CostView
    groups: list[GroupView]
    prunable: Shares
    frozen: list[KeptView] = Field(description="layers that stay dense")
    presets: list[str] = Field(description="names of ratios that papers give for it, for a spec's budgets")
