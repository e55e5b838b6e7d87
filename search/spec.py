"""What a user asks for: target, methods, budgets, baselines, seeds, recipe. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, JsonValue, StringConstraints, Tag, model_validator

from espalier.models.config import MINIMUM_KEEP
from espalier.models.document import Document, Frozen, Raw, content_hash
from espalier.search.presets import preset
from espalier.search.recipe import Distillation, FineTuning, Flag, Match, Name, RecipeSpec, Whole
from espalier.search.upgrades import spec_from_version_1, spec_from_version_2, uses_version_1

CostMetric = Literal["params", "macs", "channels"]
Init = Literal["scratch", "inherited", "untuned", "distilled", "rewound"]
"""scratch: fresh weights; inherited: the parent's, fine-tuned; untuned: the parent's, not trained any more;
distilled: fresh ones, taught by the dense network; rewound: the parent's, as they were when its training began, or
shortly after."""
AskedInit = Literal["scratch", "inherited", "untuned", "distilled"]
INHERITING: frozenset[Init] = frozenset({"inherited", "untuned"})
"""Those that begin with the weights that the parent was left with."""
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

    @property
    def passes(self) -> int:
        """How often its parent is trained, each time with fewer channels; for methods with an option of that name."""
        found = self.options.get("passes", 1)
        return found if isinstance(found, int) else 1


Cut = Annotated[float, Field(strict=True, ge=0, lt=1)]
TicketControlName = Literal["reinit", "random", "random_across", "one_shot", "continued", "lr_rewound"]


class TicketRates(Frozen):
    """How lottery tickets are found: what each round cuts of a trained network, and where the rest is set back to."""

    grain: Literal["weight", "channel"] = Field(
        default="weight", description="single weights by magnitude; or whole channels by the L1 norms of their filters"
    )
    layers: Literal["conv", "linear", "all"] = Field(default="all", description="of which single weights are cut")
    scope: Literal["layer", "global"] = Field(
        default="layer", description="layer: the smallest of each layer go; global: the smallest of all"
    )
    cut: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        default=0.2, description="share of what is left that each round cuts"
    )
    conv_cut: Cut | None = Field(default=None, description="of convolutions, if another")
    output_cut: Cut | None = Field(
        default=None, description="of the last layer, if another than half as much (layer) or nothing (global)"
    )
    rewind_steps: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] = Field(
        default=0, description="steps of training after which weights and learning rate are set back to"
    )

    @model_validator(mode="after")
    def _one_rate_where_all_are_one(self) -> Self:
        if self.scope == "global" and self.conv_cut is not None:
            raise ValueError("scope global ranks all layers together, at one rate: leave conv_cut out, and say layers")
        if self.scope == "global" and self.output_cut not in (None, 0, self.cut):
            raise ValueError(
                "scope global ranks all layers together, at one rate: output_cut is 0 where the last layer is to stay "
                f"whole, or as large as cut ({self.cut:g})"
            )
        if self.grain == "channel" and (self.conv_cut is not None or self.output_cut is not None):
            raise ValueError("grain channel cuts the same share of every group: leave conv_cut and output_cut out")
        if self.grain == "channel" and (self.scope != "layer" or self.layers != "all"):
            raise ValueError("grain channel cuts the same share of every group of channels: leave scope and layers out")
        return self


class Tickets(TicketRates):
    """Lottery tickets of the target, round by round, and what they are held against."""

    rounds: Annotated[int, Field(strict=True, ge=1, le=60)] = 8
    controls: tuple[TicketControlName, ...] = Field(
        default=("reinit",),
        max_length=6,
        description="reinit: the ticket's mask over other first weights; random, random_across: as many weights (or "
        "channels) drawn in each layer, or across layers; one_shot: as sparse in one round; continued: weights are set "
        "back only in the end; lr_rewound: only the learning rate is",
    )

    @property
    def rates(self) -> TicketRates:
        """How they are found, whatever they are held against."""
        return TicketRates(**self.model_dump(include=set(TicketRates.model_fields)))


class Guide(Frozen):
    """A pattern that widths follow: what of each stage stays, in proportion. Or the job whose patterns are followed."""

    name: Annotated[str, StringConstraints(max_length=200)] = Field(default="", description="what it is called")
    keep: tuple[Share, ...] = Field(
        default=(), max_length=64, description="share of each stage's channels, from the first, as patterns have it"
    )
    budget: Budget | Ratios | None = Field(
        default=None, exclude_if=lambda value: value is None, description="where it counts; everywhere if not given"
    )
    job: Name | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="where it was found; without `keep`, all its patterns for budgets of this job are followed",
    )
    pattern: Name | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="its id in the library; without `keep`, it is looked up there",
    )

    @model_validator(mode="after")
    def _says_what_is_followed(self) -> Self:
        if not self.keep and self.job is None and self.pattern is None:
            raise ValueError(
                "a guide has keep, the share of each stage; or job, whose patterns are followed; or pattern, the id of "
                "one in the library"
            )
        if self.keep and not self.name:
            raise ValueError("a guide with keep needs a name, which its arm is called by")
        return self


MOST_SEEDS = 64
"""Of one arm."""


class SeedRange(Frozen):
    """Seeds where they are needed: from 0 on so many for every arm, and more for those whose answers are undecided."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    least: Whole = Field(alias="from", ge=2, le=MOST_SEEDS, description="of every arm")
    most: Whole = Field(le=MOST_SEEDS, description="of arms that take part in an answer that stays undecided")
    until: Literal["decided"] = "decided"

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.most <= self.least:
            raise ValueError(f"most ({self.most}) must be more than from ({self.least})")
        return self


MEANINGS = ("a list of seeds", "a range of seeds")
"""What seeds may be meant as. Pydantic says it between the places of what is wrong, where a user has nothing."""


def _meant(seeds: Any) -> str:
    return MEANINGS[isinstance(seeds, (Mapping, SeedRange))]


Seeds = Annotated[
    Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MOST_SEEDS), Tag(MEANINGS[0])]
    | Annotated[SeedRange, Tag(MEANINGS[1])],
    Discriminator(_meant),
]
"""A list of them, or how many."""


class TransferTarget(Target):
    """Where patterns are carried to: another network, another data set, or both."""

    methods: tuple[MethodSpec, ...] = Field(
        default=(), max_length=16, description="that find widths of the target's own beside what is carried there"
    )


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


SEARCHED = frozenset({"methods", "budgets", "baselines", "guides"})
"""What a search is about; a job of tickets has none if it names none."""


EACH_ONCE = (
    "budgets", "baselines", "controls", "inits", "match", "tune_lr", "seeds", "methods", "guides", "transfer_to",
)  # fmt: skip
"""Fields whose values are each one arm of the comparison, or one job."""


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


class JobSpec(Document):
    """A search as its user asks for it."""

    UPGRADES: ClassVar = {1: spec_from_version_1, 2: spec_from_version_2}
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    schema_version: int = Field(default=3, description="version of this document's meaning")
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
    guides: tuple[Guide, ...] = Field(
        default=(),
        max_length=64,
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
    latency_images: Annotated[int, Field(strict=True, ge=1, le=1024)] = Field(
        default=32, description="images at once, at which latency is measured besides one, when all is trained"
    )
    keep_weights: Flag = True

    def carried_to(self, there: TransferTarget, guides: Sequence[Guide]) -> JobSpec:
        """The job that follows patterns found here at another target."""
        nothing: dict[str, Any] = dict.fromkeys(("controls", "tune_lr", "transfer_to"), ())
        return self.model_copy(
            update={
                **nothing,
                "name": f"{self.name or self.target.arch}, carried to {there.arch} on {there.dataset_name}"[:200],
                "target": Target(**there.model_dump(exclude={"methods"})),
                "methods": there.methods,
                "budgets": tuple(budget for budget in self.budgets if isinstance(budget, Budget)),
                "guides": tuple(guides),
                "inits": ("scratch",),
                "fine_tuning": None,
                "tickets": None,
            }
        )

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
            if isinstance(values, tuple) and any(value in values[:i] for i, value in enumerate(values)):
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
        named = [guide for guide in self.guides if guide.keep]  # the others get names when their jobs are looked up
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
