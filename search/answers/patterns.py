"""Patterns: how much of each stage a method keeps, free of any one network. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from espalier.models.document import Frozen, content_hash
from espalier.search.answers.statistics import Direction
from espalier.search.answers.values import Group, Outcomes, Sample, Verdict, by_arm, sample
from espalier.search.arms.following import Following
from espalier.search.arms.pruned import Pruned
from espalier.search.question import Place, Question
from espalier.search.recipe import RecipeSpec
from espalier.search.spec import MOST_NAME, Budget, Guide, Kernel, Ratios, Target

LEAST = 1e-3
"""Share that a place of a kernel is taken to keep at least, where logs are compared."""
DEPTHS = 16
"""Places, from the first channels to the last, at which patterns of different networks are held against each other."""


class GroupPattern(Frozen):
    """What is kept of one group."""

    name: str
    stage: int
    depth: float = Field(description="where it lies among all groups, from 0 to 1")
    width: int = Field(description="of the dense network")
    keep: Sample = Field(description="share of its channels, over seeds")


class StagePattern(Frozen):
    """What is kept at one resolution."""

    stage: int = Field(description="from 0; each has half of the resolution of the one before")
    channels: int = Field(description="of the dense network, all groups together")
    keep: Sample = Field(description="share of them, over seeds; of the weights in 3x3 kernels, where these are cut")
    kernel: Kernel | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="share of 3x3 kernels that keeps each place, over seeds, where single weights are cut",
    )


class Pattern(Frozen):
    """Where a method keeps channels, or single weights, for a budget. Groups that span stages count where they
    begin."""

    name: str = Field(description="of the method, with its options")
    budget: Budget | Ratios
    stages: tuple[StagePattern, ...]
    groups: tuple[GroupPattern, ...] = Field(description="none where single weights are cut")

    @property
    def seeds(self) -> int:
        """In how many networks it was found."""
        return self.stages[0].keep.n

    def id(self, job: str) -> str:
        """What it is known by in the library, when it was found by a job."""
        return content_hash({"job": job, "name": self.name, "budget": self.budget.model_dump(mode="json")}, 16)

    @property
    def keep(self) -> tuple[float, ...]:
        """By stage, from the first: what a guide of widths follows."""
        return () if self.kernels else tuple(stage.keep.mean for stage in self.stages)

    @property
    def grain(self) -> Literal["channel", "weight"]:
        """What it cuts."""
        return "weight" if self.kernels else "channel"

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """By stage, from the first: what a guide of single weights follows."""
        return tuple(stage.kernel for stage in self.stages if stage.kernel)


class Patterns(Frozen):
    """All patterns that a job found."""

    patterns: tuple[Pattern, ...]


def patterns(outcomes: Outcomes, question: Question) -> Patterns:
    """One for every method that finds widths and every budget, as far as there are results. Widths that were given, or
    carried here from elsewhere, were not found."""
    found: dict[tuple[str, str], Pattern] = {}
    places = question.groups
    names = {place.name for place in places}
    for group in by_arm(outcomes):
        origin = group.candidate.origin
        if not isinstance(origin, Pruned) or not question.finds_widths(origin.method, origin.budget):
            continue
        key = (origin.subject, content_hash(origin.budget))
        if kernels := _kernels(group):
            one = weight_pattern(key[0], origin.budget, places, kernels)
        elif places and _widths(group)[0].keys() == names:
            one = pattern(key[0], origin.budget, places, _widths(group))
        else:
            continue  # whole blocks leave no widths, and linear layers no kernels
        if key not in found or one.seeds > found[key].seeds:
            found[key] = one
    return Patterns(patterns=tuple(found.values()))


def guides_of(found: Patterns, called: str, job: str) -> list[Guide]:
    """Guides that follow patterns of a job, each at its own budget."""
    return [
        Guide(
            name=f"{called} {one.name}"[-MOST_NAME:],
            keep=one.keep,
            kernels=one.kernels,
            budget=one.budget,
            job=job,
            pattern=one.id(job),
        )
        for one in found.patterns
    ]


class Transfer(Frozen):
    """What following a pattern did somewhere, held against one baseline."""

    job: str = Field(description="that tried it")
    target: Target
    budget: Budget | Ratios
    against: str
    guided: Sample
    baseline: Sample
    difference: float = Field(description="of mean accuracies, guided - baseline")
    interval: tuple[float, float] | None = Field(description="95 % confidence")
    answer: Direction = Field(description="right together with all others of its job, 95 times in 100")

    @property
    def worth(self) -> int:
        """What it says for the pattern: 1, 0 or -1."""
        return {"better": 1, "undecided": 0, "worse": -1}[self.answer]


def transfers(
    job: str, target: Target, guides: Sequence[Guide], outcomes: Outcomes, verdicts: Sequence[Verdict]
) -> Iterator[tuple[str, Transfer]]:
    """By the ids of patterns, what following them did in a job."""
    origins = {one.arm.id: one.origin for one, _ in outcomes if isinstance(one.origin, Following)}
    ids = {(guide.name, guide.keep or guide.kernels): guide.pattern for guide in guides}
    for verdict in verdicts:
        origin = origins.get(verdict.arm.id)
        known = None if origin is None else ids.get((origin.pattern, origin.followed))
        if origin is not None and known is not None and verdict.refused is None:
            yield (
                known,
                Transfer(
                    job=job,
                    target=target,
                    budget=origin.budget,
                    against=verdict.against,
                    guided=verdict.automatic,
                    baseline=verdict.baseline,
                    difference=verdict.difference,
                    interval=verdict.interval,
                    answer=verdict.adjusted_answer,
                ),
            )


class Provenance(Frozen):
    """What a pattern was found by."""

    recipe: RecipeSpec = Field(description="of the job, as it was asked for")
    releases: tuple[str, ...] = Field(description="of Espalier, that trained its networks")

    def __str__(self) -> str:
        said = self.recipe.model_dump(mode="json", exclude_none=True)
        recipe = ", ".join(f"{name}={value}" for name, value in said.items()) or "of the data set"
        return f"recipe {recipe}; Espalier {', '.join(self.releases)}"


class KnownPattern(Frozen):
    """A pattern of the library: where it was found, and what following it did elsewhere."""

    id: str
    job: str = Field(description="that found it; it may be deleted since")
    target: Target = Field(description="where it was found")
    provenance: Provenance | None = Field(default=None, description="null in those of before it was noted")
    pattern: Pattern
    record: tuple[Transfer, ...] = Field(description="what following it did, failures too")

    def rank(self, arch: str | None, dataset: str | None) -> tuple[int, int, int, int]:
        """How much speaks for following it with a network on a data set, most important first: what it did right
        there; with that network or on that data; whether it was found there; what it did anywhere."""

        def fits(target: Target) -> int:
            return (arch == target.arch) + (dataset == target.dataset_name)

        wanted = (arch is not None) + (dataset is not None)
        there, near, anywhere = (
            sum(one.worth for one in self.record if fits(one.target) >= least) for least in (wanted, min(1, wanted), 0)
        )
        return there, near, fits(self.target), anywhere


def _widths(group: Group) -> list[Mapping[str, int]]:
    """Of every seed."""
    return [result.widths for result in group.results if result.mask is None] or [{}]


def _kernels(group: Group) -> list[Mapping[int, Kernel]]:
    """Of every seed, by stage; empty if it cuts no single weights of 3x3 kernels."""
    found = [one.kernels for one in group.results]
    return [] if any(not one or one.keys() != found[0].keys() for one in found) else found


def weight_pattern(
    name: str, budget: Budget | Ratios, places: Sequence[Place], kernels: Sequence[Mapping[int, Kernel]]
) -> Pattern:
    """The pattern of the 3x3 kernels in the networks of some seeds."""
    stages = []
    for stage in sorted(kernels[0]):
        values = np.array([found[stage] for found in kernels])
        channels = sum(place.width for place in places if place.stage == stage)
        keep = sample(values.mean((1, 2)).tolist())
        kernel = tuple(map(tuple, values.mean(0).tolist()))
        stages.append(StagePattern(stage=stage, channels=channels, keep=keep, kernel=kernel))
    return Pattern(name=name, budget=budget, stages=tuple(stages), groups=())


def pattern(
    name: str, budget: Budget | Ratios, places: Sequence[Place], widths: Sequence[Mapping[str, int]]
) -> Pattern:
    """The pattern of the same groups in the networks of some seeds."""
    stages = sorted({place.stage for place in places})
    return Pattern(
        name=name,
        budget=budget,
        stages=tuple(_stage(stage, [one for one in places if one.stage == stage], widths) for stage in stages),
        groups=tuple(
            GroupPattern(
                name=one.name,
                stage=one.stage,
                depth=(index + 0.5) / len(places),
                width=one.width,
                keep=sample([found[one.name] / one.width for found in widths]),
            )
            for index, one in enumerate(places)
        ),
    )


def _stage(stage: int, places: Sequence[Place], widths: Sequence[Mapping[str, int]]) -> StagePattern:
    channels = sum(place.width for place in places)
    kept = [sum(found[place.name] for place in places) / channels for found in widths]
    return StagePattern(stage=stage, channels=channels, keep=sample(kept))


class Similarity(Frozen):
    """How alike two patterns are, over relative depth."""

    correlation: float | None = Field(description="of what both keep; null where one keeps the same everywhere")
    trivial: tuple[float | None, float | None] = Field(
        description="of what each keeps with how narrow the dense network is there: 'wide layers lose more'; where "
        "single weights are cut, with how many of all are kept there"
    )
    beyond: float | None = Field(
        description="correlation of what is left of both once that is taken out; a likeness without it says nothing"
    )


def similarity(one: Pattern, other: Pattern) -> Similarity:
    """Of two patterns of one grain, by Pearson's correlation of log shares at equal depths: linear between groups, or,
    of single weights, between stages."""
    both = (_of_kernels(found) if found.kernels else _of_groups(found) for found in (one, other))
    kept, known = zip(*both, strict=True)
    left = [_residual(values, by) for values, by in zip(kept, known, strict=True)]
    first, second = (_correlation(values, by) for values, by in zip(kept, known, strict=True))
    return Similarity(correlation=_correlation(*kept), trivial=(first, second), beyond=_correlation(*left))


def _of_groups(found: Pattern) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is kept by depth; and what says little of it, how narrow the network is there."""
    depths = [group.depth for group in found.groups]
    kept = _at_depths(depths, [group.keep.mean for group in found.groups])
    return kept, _at_depths(depths, [1 / group.width for group in found.groups])


def _of_kernels(found: Pattern) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is kept of each place of a kernel by depth; and what says little of it, how much is kept of all places."""
    values = np.maximum(np.array(found.kernels).reshape(len(found.kernels), 9), LEAST)
    depths = [(place + 0.5) / len(values) for place in range(len(values))]
    kept = [_at_depths(depths, numbers) for numbers in values.T]
    return np.concatenate(kept), np.tile(_at_depths(depths, values.mean(1)), 9)


def _at_depths(depths: Sequence[float], values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The log of positive numbers, at the same depths for every network."""
    places = (np.arange(DEPTHS) + 0.5) / DEPTHS
    logs: NDArray[np.float64] = np.interp(places, depths, np.log(values))
    return logs


def _residual(values: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a straight line through others leaves of values."""
    centred = by - by.mean()
    spread = float(centred @ centred)
    slope = float(centred @ values) / spread if spread > 1e-12 else 0.0
    left: NDArray[np.float64] = values - values.mean() - slope * centred
    return left


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if min(np.ptp(one), np.ptp(other)) < 1e-9:
        return None
    return float(np.corrcoef(one, other)[0, 1])
