"""What training one candidate showed, and how it was computed. No torch."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, JsonValue

from espalier.models.config import ChannelConfig, Cost
from espalier.models.document import Document, Frozen
from espalier.search.spec import Kernel
from espalier.search.upgrades import result_from_version_1


class Metric(Frozen):
    """A number that says how good a network is."""

    name: str
    unit: str = Field(default="fraction", description="'fraction' for numbers in [0, 1]")
    higher_is_better: bool = True

    @property
    def sign(self) -> int:
        """By which it is multiplied so that more is better."""
        return 1 if self.higher_is_better else -1


ACCURACY = Metric(name="accuracy")

WEIGHTS, MASK, LEARNED, NOTES = "weights", "mask", "learned", "notes"
"""What a result's artifacts call its trained weights, a safetensors file; the mask over them, if there is one; what was
learned beside them, if anything was; and what the weights' file says beside them, where they are not kept."""

Metrics = dict[str, float]
"""Metric name -> value."""


class CurvePoint(Frozen):
    """One point of a learning curve."""

    step: int | None = Field(description="optimiser steps so far; null where an earlier release did not note them")
    epoch: int = Field(description="from 0")
    metrics: Metrics = Field(description="the training loss, and the task's metrics on the hold-out")


class Sparsity(Frozen):
    """What a mask leaves of a network's single weights."""

    nonzero: Cost = Field(description="what the network costs if zeros are free")
    density: float = Field(description="share of the weights that could be cut which is left")
    layers: dict[str, float] = Field(description="parameter -> share of its weights that is left")
    kernels: dict[int, Kernel] = Field(
        default_factory=dict,
        description="stage -> share that is left at each place of its 3x3 kernels (Liu et al. 2019, section 5)",
    )


class EarlyStop(Frozen):
    """Where training would have stopped: at the least loss on the hold-out, as is known afterwards."""

    step: int = Field(description="optimiser steps until then")
    holdout: Metrics
    test: Metrics


Precision = Literal["float32", "bfloat16"]


class Execution(Frozen):
    """How a network is computed on this machine; chosen by timing, and the same for every arm of a job."""

    device: str = "cpu"
    precision: Precision = "float32"
    channels_last: bool = False
    threads: int = Field(default=1, ge=1)

    def __str__(self) -> str:
        layout = " channels last" if self.channels_last else ""
        return f"{self.device} {self.precision}{layout}, {self.threads} thread{'s' * (self.threads > 1)}"


class Pinned(Frozen):
    """What of it is not left to timing, so that machines of one kind give the same numbers; null: what is fastest."""

    precision: Precision | None = None
    channels_last: bool | None = None
    threads: int | None = Field(default=None, ge=1)

    def allows(self, execution: Execution) -> bool:
        """Whether precision and layout are as they must be."""
        return self.precision in (None, execution.precision) and self.channels_last in (None, execution.channels_last)


FREE = Pinned()


class Latency(Frozen):
    """What running a network takes, on a machine that does nothing else."""

    images: int = Field(description="at once")
    threads: int
    machine: str
    median_ms: float
    quartiles_ms: tuple[float, float]
    runs: int


Latencies = dict[str, tuple[Latency, ...]]
"""Id of an architecture -> one image at once, and several."""


class Preprocessing(Frozen):
    """What images went through before a network was trained on them, and what its outputs stand for."""

    dataset: str
    classes: tuple[str, ...]
    mean: tuple[float, ...] = Field(description="taken from each channel of the pixels, which lie in [0, 1]")
    std: tuple[float, ...] = Field(description="by which each channel is divided then")


class MadeBy(Frozen):
    """The code and the machine settings behind a number."""

    espalier: str
    torch: str
    execution: Execution

    @property
    def conditions(self) -> str:
        """What numbers must have alike to be compared: release, device, precision, layout, threads."""
        return f"release {self.espalier} ({self.execution})"


class Effort(Frozen):
    """What training and scoring take."""

    epochs: int = 0
    images: int = Field(default=0, description="that went into a network, each as often as it did")
    macs: int = Field(default=0, description="multiply-adds; of a training step three times the forward pass's")
    seconds: float = 0.0

    def __add__(self, other: Effort) -> Effort:
        return Effort(
            epochs=self.epochs + other.epochs,
            images=self.images + other.images,
            macs=self.macs + other.macs,
            seconds=self.seconds + other.seconds,
        )


class Ledger(Frozen):
    """What a result took: its own training, and with it all that had to come before."""

    own: Effort
    pipeline: Effort = Field(description="own, and parents', teachers' and scoring")


class Ran(Frozen):
    """What was really done, where it may differ from the recipe. Null where an earlier release did not note it."""

    epochs: int
    steps: int | None
    small_epochs: int | None = Field(description="epochs on small images")
    notes: tuple[str, ...] = Field(default=(), description="where the recipe was not followed to the letter, and why")


class Result(Document):
    """What training one candidate showed, all of it from the last epoch's network."""

    UPGRADES: ClassVar = {1: result_from_version_1}

    schema_version: int = 2
    key: str
    config: ChannelConfig
    cost: Cost
    sparsity: Sparsity | None = Field(default=None, description="where single weights are masked")
    metric: Metric = Field(default=ACCURACY, description="the one that networks are compared by")
    holdout: Metrics = Field(description="what to choose by")
    test: Metrics = Field(description="what to report")
    curve: tuple[CurvePoint, ...]
    early: EarlyStop | None = Field(default=None, description="where the recipe looks at the hold-out every few steps")
    ran: Ran
    ledger: Ledger | None = Field(default=None, description="null where an earlier release did not note it")
    seconds: float
    latency_ms: float = Field(
        description="of one input on one thread of the machine that trained it, the fastest of some"
    )
    artifacts: dict[str, str] = Field(default_factory=dict, description="what was kept: name -> hash")
    made_by: MadeBy

    @property
    def weights(self) -> str | None:
        """Hash of its trained weights, if they were kept."""
        return self.artifacts.get(WEIGHTS)

    @property
    def is_readable(self) -> bool:
        """Whether others can read of it what they need."""
        return not self.artifacts.keys().isdisjoint((WEIGHTS, NOTES))

    @property
    def architecture(self) -> str:
        """Id of its network."""
        return self.config.id

    @property
    def options(self) -> dict[str, JsonValue]:
        """Of its network's family."""
        return self.config.options

    @property
    def widths(self) -> dict[str, int]:
        """Channel group -> channels kept."""
        return self.config.widths

    @property
    def mask(self) -> str | None:
        """Hash of the mask over its single weights, where there is one."""
        return self.config.mask

    @property
    def density(self) -> float:
        """Share of the weights that could be cut which a mask leaves; 1 without one."""
        return 1.0 if self.sparsity is None else self.sparsity.density

    @property
    def kernels(self) -> dict[int, Kernel]:
        """Stage -> what a mask leaves at each place of its 3x3 kernels."""
        return {} if self.sparsity is None else self.sparsity.kernels

    @property
    def conditions(self) -> str:
        """What numbers must have alike to be compared."""
        return self.made_by.conditions

    @property
    def counted(self) -> Cost:
        """What it is compared by: masked weights are free."""
        return self.cost if self.sparsity is None else self.sparsity.nonzero

    @property
    def chosen_by(self) -> float:
        """The metric on the hold-out: what every choice is made by."""
        return self.holdout[self.metric.name]

    @property
    def reported(self) -> float:
        """The metric on the test data: what is reported."""
        return self.test[self.metric.name]


FailureKind = Literal["diverged", "refused", "memory", "process", "needed", "error"]
"""The loss was no number any more; it cannot work so; there was too little memory; its process ended under it; what it
needs failed; anything else."""


class Failure(Frozen):
    """A candidate that gave no result, and why."""

    key: str
    error: str
    kind: FailureKind = "error"


Outcome = Result | Failure


class Evaluated(NamedTuple):
    """A result, and what is to be kept of it: name -> bytes. What a worker gives back."""

    result: Result
    artifacts: dict[str, bytes]


class Reported(NamedTuple):
    """What a training tells of itself after an epoch."""

    point: CurvePoint
    epochs: int
    """Of the whole training."""
    metric: str
    """Name of the metric that networks are compared by."""


class Smoke(NamedTuple):
    """What a smoke run found."""

    arms: int
    failures: dict[str, str]
    """Label of a candidate -> what went wrong; what needs one that failed is not among them."""
    seconds: float
