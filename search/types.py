"""The values a search is made of. The same frozen classes are API schema, stored record and function argument.

No torch import: the service speaks of searches without loading a framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from espalier.models.config import ChannelConfig, Cost
from espalier.models.document import Frozen, content_hash

KEY_VERSION = 1
"""Part of every candidate's key. Raise it when the same candidate would give other numbers."""

Metric = Literal["params", "macs", "channels"]
Init = Literal["scratch", "inherited"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]


class Budget(Frozen):
    """How much of the dense network may stay."""

    metric: Metric
    keep: Share = Field(description="share of the dense network's cost that may stay, in (0, 1]")

    def __str__(self) -> str:
        return f"{self.metric}={self.keep:g}"


class Recipe(Frozen):
    """How a network is trained: SGD with momentum; schedules are functions of the step."""

    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1, le=65_536)
    lr: float = Field(gt=0, le=100, description="peak learning rate")
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(default=5e-4, ge=0, le=1, description="on all parameters")
    schedule: Literal["step", "one_cycle", "constant"] = "one_cycle"
    warmup: float = Field(default=0.2, ge=0, lt=1, description="one_cycle: share of the steps that raise the lr")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    flip: bool = Field(default=True, description="mirror images at random")
    crop: int = Field(default=4, ge=0, le=64, description="pad by so many pixels and crop at random")
    small_first: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the epochs, from the first, on images at three quarters of their edge "
        "(progressive resizing); a network that takes one size only sees that size throughout",
    )
    match: Literal["epochs", "compute"] = Field(
        default="epochs",
        description="epochs: every network trains as long as the dense one (Scratch-E); "
        "compute: smaller networks train longer, at most twice as long (Scratch-B)",
    )

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class RecipeSpec(Frozen):
    """A preset of the data set, and what to change in it."""

    preset: Name | None = Field(default=None, description="'quick', 'paper'; the data set's first if not given")
    epochs: Whole | None = Field(default=None, ge=1, le=10_000)
    batch_size: Whole | None = Field(default=None, ge=1, le=65_536)
    lr: Real | None = Field(default=None, gt=0, le=100)
    momentum: Real | None = Field(default=None, ge=0, lt=1)
    nesterov: Flag | None = None
    weight_decay: Real | None = Field(default=None, ge=0, le=1)
    schedule: Literal["step", "one_cycle", "constant"] | None = None
    warmup: Real | None = Field(default=None, ge=0, lt=1)
    label_smoothing: Real | None = Field(default=None, ge=0, lt=1)
    flip: Flag | None = None
    crop: Whole | None = Field(default=None, ge=0, le=64)
    small_first: Real | None = Field(default=None, ge=0, lt=1)
    match: Literal["epochs", "compute"] | None = None


class Folder(Frozen):
    """An image folder under the data root: train/<class>/… and test/<class>/…"""

    folder: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    size: Whole | None = Field(
        default=None, ge=8, le=1024, description="edge in pixels; needed if images differ in size"
    )


class Target(Frozen):
    """An architecture on a data set."""

    arch: Name
    options: dict[str, JsonValue] = Field(default_factory=dict, description="factory options, e.g. {'width': 0.5}")
    dataset: Name | Folder

    @property
    def dataset_name(self) -> str:
        """The data set in one word."""
        return self.dataset if isinstance(self.dataset, str) else f"folder:{self.dataset.folder}"


class MethodSpec(Frozen):
    """A pruning method and its options."""

    name: Name
    options: dict[str, JsonValue] = Field(default_factory=dict)


# --- candidates ---------------------------------------------------------------------------------------------------


class Dense(Frozen):
    """The whole network; with a method, trained the way that method asks (the parent of what it prunes)."""

    kind: Literal["dense"] = "dense"
    method: MethodSpec | None = None


class Pruned(Frozen):
    """Widths from a method's scores on its trained parent."""

    kind: Literal["pruned"] = "pruned"
    method: MethodSpec
    budget: Budget


class Uniform(Frozen):
    """Every group thinner by the same share."""

    kind: Literal["uniform"] = "uniform"
    budget: Budget


class Random(Frozen):
    """Every group thinner by a share of its own, drawn by `draw`."""

    kind: Literal["random"] = "random"
    budget: Budget
    draw: Seed


Origin = Annotated[Dense | Pruned | Uniform | Random, Field(discriminator="kind")]


class Candidate(Frozen):
    """One network to train. Same content, same key, trained once."""

    origin: Origin
    target: Target
    recipe: Recipe
    data: str = Field(description="fingerprint of the data set's content")
    seed: Seed
    floor: float = Field(gt=0, le=1)
    parent: str | None = Field(default=None, description="key of the candidate whose weights the origin reads")
    init: Init = "scratch"

    @cached_property
    def key(self) -> str:
        """Hash of everything that decides this candidate's result."""
        return content_hash({"version": KEY_VERSION, **self.model_dump(mode="json")})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A changed candidate, with a key of its own (pydantic would copy the remembered one along)."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("key", None)
        return copy

    @property
    def method(self) -> str | None:
        """Name of the pruning method, where there is one."""
        spec = getattr(self.origin, "method", None)
        return spec.name if spec is not None else None

    @property
    def budget(self) -> Budget | None:
        """The budget the widths must meet, where there is one."""
        return getattr(self.origin, "budget", None)

    @property
    def label(self) -> str:
        """For people: 'slimming params=0.1 seed 2'."""
        words = [self.method or self.origin.kind]
        if self.origin.kind == "dense" and self.method:
            words.append("parent")
        if self.budget:
            words.append(str(self.budget))
        if self.init != "scratch":
            words.append(self.init)
        return " ".join([*words, f"seed {self.seed}"])


class Plan(Frozen):
    """The candidates of a job, parents first, each once."""

    candidates: tuple[Candidate, ...]


class JobSpec(Frozen):
    """A search as its user asks for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "vgg16 on cifar10",
                    "target": {"arch": "vgg16", "options": {"width": 0.5}, "dataset": "cifar10"},
                    "budgets": [{"metric": "params", "keep": 0.1}, {"metric": "macs", "keep": 0.3}],
                    "baselines": ["uniform", "random"],
                    "seeds": [0, 1, 2],
                    "recipe": {"preset": "quick", "epochs": 6},
                }
            ]
        }
    )

    name: Annotated[str, StringConstraints(max_length=200)] = ""
    target: Target
    methods: tuple[MethodSpec, ...] = Field(default=(MethodSpec(name="slimming"),), max_length=16)
    budgets: tuple[Budget, ...] = Field(
        default=tuple(Budget(metric="params", keep=keep) for keep in (0.5, 0.25, 0.1)), max_length=64
    )
    baselines: tuple[Literal["uniform", "random"], ...] = Field(default=("uniform",), max_length=2)
    inits: tuple[Init, ...] = Field(default=("scratch",), min_length=1, max_length=2)
    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1, max_length=64)
    recipe: RecipeSpec = Field(default_factory=RecipeSpec)
    floor: Share = Field(default=0.1, description="least share of each group's channels that stays")
    keep_weights: Flag = True

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for field in ("budgets", "baselines", "inits", "seeds", "methods"):
            values = [getattr(value, "name", value) for value in getattr(self, field)]
            if any(value in values[:i] for i, value in enumerate(values)):
                raise ValueError(f"{field} names the same thing twice; each is one arm of the comparison")
        if not self.budgets and (self.methods or self.baselines):
            raise ValueError("budgets is empty: methods and baselines need at least one to meet")
        if self.budgets and not self.methods and not self.baselines:
            raise ValueError("no candidates: name at least one method or baseline")
        return self

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        try:
            text = self.model_dump_json()
        except ValueError as error:
            raise ValueError("a text in it is not Unicode (a lone surrogate)") from error
        if "\\u0000" in text:
            raise ValueError("a text in it has a NUL character, which no database keeps")
        return self


# --- results ------------------------------------------------------------------------------------------------------


class Epoch(Frozen):
    """One point of a learning curve."""

    epoch: int = Field(description="from 0")
    epochs: int = Field(description="of the whole training")
    loss: float
    holdout: float = Field(description="accuracy on the holdout")


class Execution(Frozen):
    """How a network is computed on this machine; chosen by timing, and the same for every arm of a job."""

    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    threads: int = Field(default=1, ge=1)


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


class Result(Frozen):
    """What training one candidate showed. Accuracies are fractions of the last epoch's network."""

    key: str
    config: ChannelConfig
    cost: Cost
    holdout: float
    accuracy: float = Field(description="on the test images, after the last epoch")
    curve: tuple[Epoch, ...]
    seconds: float
    latency_ms: float = Field(
        description="of one input on one thread of the machine that trained it, the fastest of some"
    )
    weights: str | None = Field(default=None, description="artifact hash of the safetensors file, if kept")
    made_by: MadeBy


class Failure(Frozen):
    """A candidate that gave no result, and why."""

    key: str
    error: str


Outcome = Result | Failure


class Sample(Frozen):
    """A mean over seeds."""

    mean: float
    std: float | None = Field(description="sample standard deviation; null for one value")
    n: int


class Verdict(Frozen):
    """Is automatic pruning better than a baseline at one budget?

    The interval is over seeds of training. A method's widths come from one sparsely trained parent, so it says nothing
    of how they would differ had that parent been trained again.
    """

    method: str
    against: str
    metric: Metric
    keep: float
    init: Init = "scratch"
    automatic: Sample
    baseline: Sample
    difference: float = Field(description="automatic - baseline, as a fraction")
    interval: tuple[float, float] | None = Field(description="95 % confidence; null without spread to tell it from")
    answer: Literal["better", "worse", "undecided"]


class Efficiency(Frozen):
    """How many times fewer params or MACs automatic pruning needs for the same accuracy."""

    method: str
    against: str
    metric: Literal["params", "macs"]
    init: Init = "scratch"
    factor: float | None
    interval: tuple[float, float] | None
    at_accuracy: float | None


# --- the front ------------------------------------------------------------------------------------------------------

CostName = Literal["params", "macs", "latency"]


class DensePoint(Frozen):
    """The whole network, for comparison."""

    params: int
    macs: int
    latency_ms: float
    accuracy: Sample


class Point(Frozen):
    """One origin at one budget, over seeds."""

    architecture: str = Field(description="id; of the best on the holdout, where seeds have architectures of their own")
    architectures: tuple[str, ...]
    origin: str
    method: str | None
    budget: Budget | None
    init: Init
    params: int = Field(description="mean over the architectures")
    macs: int
    latency_ms: float
    holdout: float = Field(description="mean accuracy on the holdout: what to choose by")
    accuracy: Sample
    on_front: bool
    dominated_by: str | None = Field(
        description="architecture of a point that costs no more and is more accurate on the holdout"
    )


class Pareto(Frozen):
    """What a job found: cost against accuracy."""

    cost: CostName
    dense: DensePoint | None
    points: tuple[Point, ...]
    hypervolume: dict[str, float] = Field(description="by method or baseline; see the documentation of the front")
