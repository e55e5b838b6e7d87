"""Patterns: how much of each stage a method keeps, free of any one network. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from espalier.models.document import Frozen, content_hash
from espalier.search.answers.values import Group, Outcomes, Sample, by_arm, sample
from espalier.search.spec import Budget, Ratios

DEPTHS = 16
"""Places, from the first channels to the last, at which patterns of different networks are held against each other."""


class Place(NamedTuple):
    """A channel group of the dense network."""

    name: str
    width: int
    stage: int


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
    keep: Sample = Field(description="share of them, over seeds")


class Pattern(Frozen):
    """Where a method keeps channels for a budget. Groups that span stages count where they begin."""

    name: str = Field(description="of the method, with its options")
    budget: Budget | Ratios
    stages: tuple[StagePattern, ...]
    groups: tuple[GroupPattern, ...]


class Patterns(Frozen):
    """All patterns that a job found."""

    patterns: tuple[Pattern, ...]


def patterns(outcomes: Outcomes, places: Sequence[Place]) -> Patterns:
    """One for every method and budget that has results; `places` are the dense network's groups, in order."""
    if not places:
        return Patterns(patterns=())
    found: dict[tuple[str, str], Pattern] = {}
    names = {place.name for place in places}
    for group in by_arm(outcomes):
        if group.arm.role != "automatic" or group.budget is None or _widths(group)[0].keys() != names:
            continue  # single weights, whole blocks and tickets leave no widths
        key = (group.candidate.origin.subject, content_hash(group.budget))
        if key not in found or len(_widths(group)) > found[key].groups[0].keep.n:
            found[key] = pattern(key[0], group.budget, places, _widths(group))
    return Patterns(patterns=tuple(found.values()))


def _widths(group: Group) -> list[Mapping[str, int]]:
    """Of every seed."""
    return [result.config.widths for result in group.results if result.config.mask is None] or [{}]


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
        description="of what each keeps with how narrow the dense network is there: 'wide layers lose more'"
    )
    beyond: float | None = Field(
        description="correlation of what is left of both once that is taken out; a likeness without it says nothing"
    )


def similarity(one: Pattern, other: Pattern) -> Similarity:
    """By Pearson's correlation of log shares at equal depths, linear between groups."""
    kept = [_at_depths(found, [group.keep.mean for group in found.groups]) for found in (one, other)]
    narrow = [_at_depths(found, [1 / group.width for group in found.groups]) for found in (one, other)]
    left = [_residual(values, by) for values, by in zip(kept, narrow, strict=True)]
    first, second = (_correlation(values, by) for values, by in zip(kept, narrow, strict=True))
    return Similarity(correlation=_correlation(*kept), trivial=(first, second), beyond=_correlation(*left))


def _at_depths(found: Pattern, values: Sequence[float]) -> NDArray[np.float64]:
    """The log of positive numbers of its groups, at the same depths for every network."""
    depths = (np.arange(DEPTHS) + 0.5) / DEPTHS
    logs: NDArray[np.float64] = np.interp(depths, [group.depth for group in found.groups], np.log(values))
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
