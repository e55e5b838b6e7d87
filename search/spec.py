"""What a user asks for: target, methods, budgets, baselines, seeds, recipe. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from espalier.models.config import MINIMUM_KEEP
from espalier.models.document import Document, Frozen, Raw, content_hash
from espalier.search.presets import preset
from espalier.search.recipe import Distillation, Flag, Match, Name, RecipeSpec, Whole
from espalier.search.upgrades import spec_from_version_1, uses_version_1

CostMetric = Literal["params", "macs", "channels"]
Init = Literal["scratch", "inherited", "distilled"]
"""scratch: fresh weights; inherited: the parent's, fine-tuned; distilled: fresh ones, taught by the dense network."""
Ranking = Literal["reverse", "no_penalty", "shuffled", "shuffled_across"]
"""A control's: the least important stay; scores of a parent that was trained without the method's penalty; scores dealt
out at random within each group, or across all groups."""
Share = Annotated[float, Field(strict=True, gt=0, le=1)]
Rate = Annotated[float, Field(strict=True, gt=0, le=100)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]


class Budget(Frozen):
    """How much of the dense network may stay."""

    metric: CostMetric
    keep: Share = Field(description="share of the dense network's cost that may stay, in (0, 1]")

    def __str__(self) -> str:
        return f"{self.metric}={self.keep:g}"


class Ratios(Frozen):
    """Widths given beforehand: what each channel group, or each stage, keeps. What is not named stays whole.

    Baselines are made as large as the network that the ratios give, in `metric`.
    """

    by: Literal["group", "stage"]
    ratios: dict[str, Share] = Field(min_length=1, description="group name, or number of a stage from 0 -> share kept")
    metric: Literal["params", "macs"] = Field(default="params", description="what baselines match")
    name: Annotated[str, StringConstraints(max_length=100)] = Field(
        default="", exclude_if=lambda name: not name, description="what they are called"
    )

    def __str__(self) -> str:
        return self.name or f"ratios {content_hash(self, 6)}"


FOLDER = "folder:"
"""Before the name of an image folder, where a data set is named in one word."""


class Folder(Frozen):
    """An image folder under the data root: train/<class>/… and test/<class>/…, or val/ in the place of either
    test/ or the hold-out."""

    folder: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    size: Whole | None = Field(
        default=None, ge=8, le=1024, description="edge in pixels; needed if images differ in size"
    )
    fit: Literal["crop", "pad"] = Field(
        default="crop",
        description="how an image of other proportions becomes a square of that size: its middle, or all of it "
        "between black bars",
    )
    channels: Literal[1, 3] = Field(default=3, description="1: grey, 3: colour")


class Target(Frozen):
    """An architecture on a data set, for a task."""

    arch: Name
    options: dict[str, JsonValue] = Field(default_factory=dict, description="factory options, e.g. {'width': 0.5}")
    dataset: Name | Folder
    task: Name = "classification"

    @property
    def dataset_name(self) -> str:
        """The data set in one word."""
        return self.dataset if isinstance(self.dataset, str) else f"{FOLDER}{self.dataset.folder}"


class Choice(Frozen):
    """Something from a registry, by name, and its options."""

    name: Name
    options: dict[str, JsonValue] = Field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={_word(value)}" for name, value in self.options.items())])


def _word(value: JsonValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


class MethodSpec(Choice):
    """A pruning method and its options."""


class PlannerSpec(Choice):
    """What decides which candidates are tried, and its options."""


_EXAMPLE: dict[str, Any] = {
    "name": "vgg16 on cifar10",
    "target": {"arch": "vgg16", "options": {"width": 0.5}, "dataset": "cifar10"},
    "budgets": [{"metric": "params", "keep": 0.1}, {"metric": "macs", "keep": 0.3}],
    "baselines": ["uniform", "random"],
    "seeds": [0, 1, 2],
    "recipe": {"preset": "quick", "epochs": 6},
}


def _ratios(budget: Any, arch: str) -> Any:
    """A preset as ratios; anything else as it is."""
    if not isinstance(budget, Mapping) or "preset" not in budget:
        return budget
    name, rest = str(budget["preset"]), {field: value for field, value in budget.items() if field != "preset"}
    return {"by": "group", "ratios": dict(preset(arch, name)), "name": name, **rest}


class JobSpec(Document):
    """A search as its user asks for it."""

    UPGRADES: ClassVar = {1: spec_from_version_1}
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    schema_version: int = Field(default=2, description="version of this document's meaning")
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    target: Target
    methods: tuple[MethodSpec, ...] = Field(default=(MethodSpec(name="slimming"),), max_length=16)
    budgets: tuple[Budget | Ratios, ...] = Field(
        default=tuple(Budget(metric="params", keep=keep) for keep in (0.5, 0.25, 0.1)),
        max_length=64,
        description='{"preset": NAME} stands for ratios that a paper gives for the architecture; its catalog entry has '
        "their names",
    )
    baselines: tuple[Name, ...] = Field(default=("uniform",), max_length=16)
    controls: tuple[Ranking, ...] = Field(
        default=(), max_length=4, description="rankings that every method is held against besides its own"
    )
    inits: tuple[Init, ...] = Field(default=("scratch",), min_length=1, max_length=3)
    match: tuple[Match, ...] = Field(
        default=(), max_length=3, description="lengths of training side by side, in the place of the recipe's match"
    )
    tune_lr: tuple[Rate, ...] = Field(
        default=(),
        max_length=8,
        description="learning rates at which inherited weights are fine-tuned, in the place of the method's own; of "
        "each arm, the one that is best on the hold-out counts",
    )
    distillation: Distillation = Field(default=Distillation(), description="how networks are taught, where they are")
    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1, max_length=64)
    recipe: RecipeSpec = Field(default_factory=RecipeSpec)
    planner: PlannerSpec = PlannerSpec(name="fixed")
    minimum_keep: Share = Field(default=MINIMUM_KEEP, description="least share of each group's channels that stays")
    keep_weights: Flag = True

    @classmethod
    def version_of(cls, data: Raw) -> int:
        """Specs of version 1 said no version; some of their words are gone."""
        return 1 if uses_version_1(data) else super().version_of(data)

    @model_validator(mode="before")
    @classmethod
    def _presets_as_ratios(cls, data: Any) -> Any:
        """Ratios in the place of a preset's name."""
        if not isinstance(data, Mapping) or not isinstance(data.get("budgets"), (list, tuple)):
            return data
        target = data.get("target")
        arch = target.get("arch") if isinstance(target, Mapping) else getattr(target, "arch", None)
        return {**data, "budgets": [_ratios(budget, str(arch)) for budget in data["budgets"]]}

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for field in ("budgets", "baselines", "controls", "inits", "match", "tune_lr", "seeds", "methods"):
            values = getattr(self, field)
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
