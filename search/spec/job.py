"""A search as its user asks for it. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from espalier.models.config import MINIMUM_KEEP
from espalier.models.document import Document, Raw
from espalier.search.presets import preset
from espalier.search.recipe import Distillation, FineTuning, Flag, Match, Name, RecipeSpec
from espalier.search.spec.budgets import AskedBudget, Budget, Share
from espalier.search.spec.choices import MethodSpec, PlannerSpec
from espalier.search.spec.guides import MOST_GUIDES, Guide
from espalier.search.spec.seeds import Seeds
from espalier.search.spec.starts import AskedInit, Ranking
from espalier.search.spec.targets import Target, TransferTarget
from espalier.search.spec.tickets import Tickets
from espalier.search.upgrades import spec_from_version_1, spec_from_version_2, uses_version_1

Rate = Annotated[float, Field(strict=True, gt=0, le=100)]
_EXAMPLE: dict[str, Any] = {
    "name": "vgg16 on cifar10",
    "target": {"arch": "vgg16", "options": {"width": 0.5}, "dataset": "cifar10"},
    "budgets": [{"metric": "params", "keep": 0.1}, {"metric": "macs", "keep": 0.3}],
    "baselines": ["uniform", "random"],
    "seeds": [0, 1, 2],
    "recipe": {"preset": "quick", "epochs": 6},
}


SEARCHED = frozenset({"methods", "budgets", "baselines", "guides"})
"""What a search is about; a job of tickets has none if it names none."""


EACH_ONCE = (
    "budgets", "baselines", "controls", "inits", "match", "tune_lr", "seeds", "methods", "guides", "transfer_to",
)  # fmt: skip
"""Fields whose values are each one arm of the comparison, or one job."""


def _has_twice(values: Sequence[Any]) -> bool:
    """Whether one equals another."""
    try:
        return len(set(values)) < len(values)
    except TypeError:  # with options, which no hash is of
        return any(value in values[:place] for place, value in enumerate(values))


def _planned_by(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A sampler as the planner that it stands for."""
    sampler = data.get("sampler")
    if not isinstance(sampler, Mapping):
        return data
    if data.get("planner") is not None:
        raise ValueError("sampler stands for a planner, and planner names one, too; give one of them")
    options = {("sampler" if name == "name" else name): value for name, value in sampler.items()}
    return {**data, "sampler": None, "planner": {"name": "sampled", "options": options}}


def _ratios(budget: Any, target: Any) -> Any:
    """A preset as ratios; anything else as it is."""
    if not isinstance(budget, Mapping) or "preset" not in budget:
        return budget
    arch, options = (
        target.get(field) if isinstance(target, Mapping) else getattr(target, field, None)
        for field in ("arch", "options")
    )
    name, rest = str(budget["preset"]), {field: value for field, value in budget.items() if field != "preset"}
    shares = preset(str(arch), name, options if isinstance(options, Mapping) else {})
    return {"by": "group", "ratios": dict(shares), "name": name, **rest}


def _guide(guide: Any, target: Any) -> Any:
    """The same of its budget."""
    if not isinstance(guide, Mapping) or "budget" not in guide:
        return guide
    return {**guide, "budget": _ratios(guide["budget"], target)}


Address = Annotated[
    str, StringConstraints(max_length=500, pattern=r"^https?://[A-Za-z0-9.:\[\]_-]+(?:[/?][!\"$-~]*)?$")
]
"""Of a web server, without a user's name or a fragment."""


class JobSpec(Document):
    """A search as its user asks for it."""

    UPGRADES: ClassVar = {1: spec_from_version_1, 2: spec_from_version_2}
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    schema_version: int = Field(default=3, description="version of this document's meaning")
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    target: Target
    methods: tuple[MethodSpec, ...] = Field(default=(MethodSpec(name="slimming"),), max_length=16)
    budgets: tuple[AskedBudget, ...] = Field(
        default=tuple(Budget(metric="params", keep=keep) for keep in (0.5, 0.25, 0.1)),
        max_length=64,
        description='{"preset": NAME} stands for ratios that a paper gives for the architecture; its catalog entry has '
        "their names",
    )
    baselines: tuple[Name, ...] = Field(default=("uniform", "capped"), max_length=16)
    guides: tuple[Guide, ...] = Field(
        default=(),
        max_length=MOST_GUIDES,
        exclude_if=lambda value: not value,
        description="patterns found elsewhere, each an automatic arm that needs no parent (guided pruning)",
    )
    controls: tuple[Ranking, ...] = Field(
        default=(), max_length=4, description="rankings that every method is held against besides its own"
    )
    inits: tuple[AskedInit, ...] = Field(default=("scratch",), min_length=1, max_length=4)
    match: tuple[Match, ...] = Field(
        default=(), max_length=3, description="lengths of training side by side, in the place of the recipe's match"
    )
    fine_tuning: FineTuning | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="how inherited weights are trained on, whatever their method's paper does",
    )
    tune_lr: tuple[Rate, ...] = Field(
        default=(),
        max_length=8,
        description="learning rates at which inherited weights are fine-tuned, in the place of one; of each arm, the "
        "one that is best on the hold-out counts",
    )
    distillation: Distillation = Field(default=Distillation(), description="how networks are taught, where they are")
    seeds: Seeds = (0, 1, 2)
    parents: Literal["per_seed", "one"] = Field(
        default="per_seed",
        description="per_seed: each seed prunes, and learns from, dense networks of its own, so that answers are about "
        "the methods; one: those of the first seed, so that they are about the widths found there",
    )
    recipe: RecipeSpec = Field(default_factory=RecipeSpec)
    planner: PlannerSpec = PlannerSpec(name="fixed")
    sampler: dict[str, JsonValue] | None = Field(
        default=None,
        exclude=True,
        description='{"name": "tpe", "trials": 30, "proxy": "adaptive_bn"}: a search by proposals beside the methods; '
        "stands for the planner 'sampled' with these options, and is spelt out as that",
    )
    tickets: Tickets | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="lottery tickets; methods, budgets and baselines are empty then unless any of them is named",
    )
    transfer_to: tuple[TransferTarget, ...] = Field(
        default=(),
        max_length=16,
        exclude_if=lambda value: not value,
        description="where the patterns that are found are carried to: a job for each is queued when this one has "
        "succeeded, with the same budgets, baselines, seeds and recipe",
    )
    minimum_keep: Share = Field(default=MINIMUM_KEEP, description="least share of each group's channels that stays")
    latency_images: Annotated[int, Field(strict=True, ge=2, le=1024)] = Field(
        default=32, description="images at once, at which latency is measured besides one, when all is trained"
    )
    keep_weights: Flag = True
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        exclude_if=lambda value: value is None,
        description="of training, summed over what runs side by side, after which the job is stopped",
    )
    smoke: Flag = Field(
        default=False,
        exclude_if=lambda value: not value,
        description="try every arm for one batch before training begins, and fail at once if one fails",
    )
    webhook: Address | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="address that is told when the job has ended; one that the service allows",
    )

    def carried_to(self, there: TransferTarget, guides: Sequence[Guide]) -> JobSpec:
        """The job that follows patterns found here at another target."""
        nothing: dict[str, Any] = dict.fromkeys(("controls", "tune_lr", "transfer_to"), ())
        return self.model_copy(
            update={
                **nothing,
                "name": f"{self.name or self.target.arch}, carried to {there.arch} on {there.dataset_name}"[:200],
                "target": Target(**there.model_dump(exclude={"methods", "baselines"})),
                "methods": there.methods,
                "baselines": self.baselines if there.baselines is None else there.baselines,
                "budgets": tuple(budget for budget in self.budgets if isinstance(budget, Budget)),
                "guides": tuple(guides),
                "inits": ("scratch",),
                "fine_tuning": None,
                "tickets": None,
            }
        )

    @property
    def said(self) -> dict[str, Any]:
        """It as JSON, without what is so by default."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Every seed that an arm may have, in order."""
        return self.seeds if isinstance(self.seeds, tuple) else tuple(range(self.seeds.most))

    @property
    def looks(self) -> tuple[int, ...]:
        """How many seeds arms have whenever it is looked at what is decided, each time twice as many; empty: it is
        looked once, at all of them."""
        seeds = self.seeds
        if isinstance(seeds, tuple):
            return ()
        doubled = (seeds.least << times for times in itertools.count())
        return (*itertools.takewhile(lambda count: count < seeds.most, doubled), seeds.most)

    @classmethod
    def version_of(cls, data: Raw) -> int:
        """Specs of version 1 said no version; some of their words are gone."""
        return 1 if uses_version_1(data) else super().version_of(data)

    @model_validator(mode="before")
    @classmethod
    def _spelt_out(cls, data: Any) -> Any:
        """Ratios in the place of a preset's name; no searches beside tickets that are not asked for."""
        if not isinstance(data, Mapping):
            return data
        data = _planned_by(data)
        if data.get("tickets") is not None and not SEARCHED.intersection(data):
            data = {**dict.fromkeys(SEARCHED, ()), **data}
        spelt = {
            field: [spell(one, data.get("target")) for one in data[field]]
            for field, spell in (("budgets", _ratios), ("guides", _guide))
            if isinstance(data.get(field), (list, tuple))
        }
        return {**data, **spelt}

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for field in EACH_ONCE:
            values = getattr(self, field)
            if isinstance(values, tuple) and _has_twice(values):
                raise ValueError(f"{field} names the same thing twice; each is one arm of the comparison")
        if not self.budgets and (self.methods or self.baselines or self.guides):
            raise ValueError("budgets is empty: methods, guides and baselines need at least one to meet")
        if self.budgets and not (self.methods or self.baselines or self.guides):
            raise ValueError("no candidates: name at least one method, guide or baseline")
        for field in ("tune_lr", "fine_tuning"):
            if getattr(self, field) and "inherited" not in self.inits:
                raise ValueError(f"{field} is for inherited weights: add 'inherited' to inits, or leave it out")
        if self.tickets and self.looks:
            raise ValueError("tickets look at all seeds together: give seeds as a list")
        return self

    @model_validator(mode="after")
    def _guides_are_told_apart(self) -> Self:
        for guide in self.guides:
            if guide.budget is not None and guide.budget not in self.budgets:
                raise ValueError(f"guide {guide.name!r} is for {guide.budget}, which is none of the job's budgets")
        named = [
            guide for guide in self.guides if guide.is_spelt_out
        ]  # the others get names when their jobs are looked up
        met = [(one.name, budget) for one in named for budget in self.budgets if one.budget in (None, budget)]
        if any(one in met[:place] for place, one in enumerate(met)):
            raise ValueError(
                "two guides of one name are for the same budget, and could not be told apart; give them names"
            )
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
