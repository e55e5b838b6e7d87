"""The values that answers are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import Field, JsonValue

from espalier.models.document import Frozen, content_hash
from espalier.search.answers.statistics import Decision
from espalier.search.candidates import Arm, Candidate
from espalier.search.comparable import Comparable
from espalier.search.published import Published
from espalier.search.recipe import Match
from espalier.search.results import Latency
from espalier.search.spec import INHERITING, Budget, CostMetric, Init, Ranking, Ratios

CostName = Literal["params", "macs", "latency"]
Outcomes = Sequence[tuple[Candidate, Comparable]]


class Sample(Frozen):
    """A mean over seeds."""

    mean: float
    std: float | None = Field(description="sample standard deviation; null for one value")
    n: int


def sample(values: Sequence[float]) -> Sample:
    """Mean, sample standard deviation (null for one value) and n."""
    return Sample(
        mean=float(np.mean(values)), std=float(np.std(values, ddof=1)) if len(values) > 1 else None, n=len(values)
    )


class Group(NamedTuple):
    """The results of one arm: they differ in nothing but the seed."""

    arm: Arm
    outcomes: list[tuple[Candidate, Comparable]]

    @property
    def candidate(self) -> Candidate:
        """One of them."""
        return self.outcomes[0][0]

    @property
    def results(self) -> list[Comparable]:
        """One for each seed."""
        return [result for _, result in self.outcomes]

    @property
    def parents(self) -> int:
        """How many trained networks they were cut from, all seeds together."""
        return len({candidate.needs["parent"] for candidate, _ in self.outcomes if "parent" in candidate.needs})

    @property
    def budget(self) -> Budget | Ratios | None:
        """What their widths met."""
        return self.candidate.budget

    @property
    def networks(self) -> dict[int, tuple[Mapping[str, JsonValue], Mapping[str, int], str | None]]:
        """Seed -> what its network is: options, widths, mask over single weights."""
        return {one.seed: (result.options, result.widths, result.mask) for one, result in self.outcomes}

    @property
    def conditions(self) -> dict[str, None]:
        """What its results were made by, in order."""
        return dict.fromkeys(result.conditions for result in self.results)

    @property
    def lr(self) -> float | None:
        """Their learning rate, where it is one of several that were tried."""
        return getattr(self.candidate.origin, "lr", None)

    @property
    def chosen_by(self) -> float:
        """How good they are on the hold-out, so that more is better."""
        return self.results[0].metric.sign * float(np.mean([result.chosen_by for result in self.results]))


def by_arm(outcomes: Outcomes) -> list[Group]:
    """Results by arm, in the order of their first. Parents are no points of any comparison; nor is an arm that was
    trained at another rate, too, at which more seeds came to an end, or as many that are better on the hold-out. Of one
    seed the last counts: what it was chosen from may have changed when a job was retried."""
    seeds: dict[str, dict[int, tuple[Candidate, Comparable]]] = {}
    for candidate, result in outcomes:
        if candidate.arm.role != "parent":
            seeds.setdefault(candidate.arm.id, {})[candidate.seed] = (candidate, result)
    groups = {id: Group(next(iter(some.values()))[0].arm, [*some.values()]) for id, some in seeds.items()}
    best: dict[str, Group] = {}
    for group in groups.values():
        place = group.arm.id
        if group.lr and group.budget:
            place = f"{group.arm.name} {content_hash(group.budget)}"
        best[place] = max(best.get(place, group), group, key=lambda one: (len(one.outcomes), one.chosen_by))
    return list(best.values())


PointT = TypeVar("PointT")


def rising(points: Iterable[PointT], at: Callable[[PointT], tuple[float, float]], by: float = 0.0) -> list[PointT]:
    """Those that no cheaper one is as good as, by rising cost; better is by more than `by`. `at` gives the cost of a
    point, and how good it is."""
    found: list[PointT] = []
    for point in sorted(points, key=lambda one: (at(one)[0], -at(one)[1])):
        if not found or at(point)[1] > at(found[-1])[1] + by:
            found.append(point)
    return found


def with_role(groups: Iterable[Group], *roles: str) -> dict[str, list[Group]]:
    """The curves of arms with these roles: by name, the points of each."""
    curves: dict[str, list[Group]] = {}
    for group in groups:
        if group.arm.role in roles:
            curves.setdefault(group.arm.name, []).append(group)
    return curves


def are_compared(ours: Group, theirs: Group) -> bool:
    """Whether a baseline is one of this arm: any that is trained in the same way, or, of inherited weights, in any
    other way; a control of its own method alone."""
    ours_way, theirs_way = ((group.candidate.init, group.candidate.recipe.match) for group in (ours, theirs))
    if theirs.candidate.control is None:
        return ours_way == theirs_way or (ours_way[0] in INHERITING and theirs_way[0] == "scratch")
    method, other = (getattr(group.candidate.origin, "method", None) for group in (ours, theirs))
    return method == other and ours_way == theirs_way


def are_same_widths(ours: Group, theirs: Group) -> bool:
    """Whether both are the same networks wherever both have a seed, ours inherited or taught and theirs trained
    alone."""
    init, other = ours.candidate.init, theirs.candidate.init
    is_as_long = init in INHERITING or ours.candidate.recipe.match == theirs.candidate.recipe.match
    if not (init != "scratch" == other and is_as_long):
        return False
    own, others = ours.networks, theirs.networks
    shared = own.keys() & others.keys()
    return bool(shared) and all(own[seed] == others[seed] for seed in shared)


def why_not_compared(*groups: Group) -> str | None:
    """Why numbers of these arms must not be held against each other; None if they may."""
    conditions = [*{one: None for group in groups for one in group.conditions}]
    return None if len(conditions) < 2 else f"their results were made by {' and by '.join(conditions)}"


About = Literal["widths", "weights"]


class Verdict(Decision):
    """Is automatic pruning better than a baseline at one budget?

    The interval is over seeds. Where each has a parent of its own, it is about the method. Where all have one, it is
    about the widths found there, and says nothing of how they would differ had that parent been trained again.
    """

    about: About = Field(
        default="widths",
        description="widths: are a method's better than others; weights: are inherited or taught ones better than "
        "fresh ones in the same widths, which are the baseline then",
    )
    method: str
    against: str
    arm: Arm = Field(description="the automatic one")
    baseline_arm: Arm
    control: Ranking | None = Field(default=None, description="what of the method's own the baseline is a control of")
    metric: CostMetric
    keep: float | None = Field(description="null for widths given beforehand")
    init: Init = "scratch"
    match: Match = "epochs"
    lr: float | None = Field(
        default=None,
        description="peak learning rate of the automatic arm; where several were tried, the hold-out's choice",
    )
    parents: int = Field(default=0, description="trained networks that the automatic arm was cut from, over its seeds")
    automatic: Sample
    baseline: Sample
    refused: str | None = Field(
        default=None, description="why the two are not compared: their results were made under other conditions"
    )


class Efficiency(Frozen):
    """How many times fewer params or MACs automatic pruning needs for the same accuracy."""

    method: str
    against: str
    name: str = Field(description="of the automatic arms that make the curve")
    metric: Literal["params", "macs"]
    init: Init = "scratch"
    factor: float | None = Field(description="null where no accuracy is reached by both, or they are not compared")
    interval: tuple[float, float] | None = Field(
        description="95 % confidence, at that accuracy; null without several seeds and any spread, or where it would "
        "reach from a thousandth to a thousand times"
    )
    at_accuracy: float | None = Field(description="where it is read: in the middle of what both reach")
    extremes: tuple[float, float] | None = Field(
        default=None, description="the least and the largest factor over all accuracies that both reach"
    )
    through_dense: bool = Field(
        default=False, description="whether the curves meet an accuracy only on the way to the dense network"
    )
    refused: str | None = Field(default=None, description="why the two are not compared")
    unread: str | None = Field(default=None, description="why there is no factor of two that are compared")


class ProxyAnswer(Frozen):
    """How well a proxy ranks networks of one budget."""

    proxy: str
    budget: Budget | Ratios
    networks: int = Field(description="that were judged by it, and trained in full from scratch")
    rank_correlation: float | None = Field(
        description="Spearman's, of the proxy with the test metric after full training, among the networks of a seed; "
        "the mean over seeds; null where no seed has three of them"
    )


class Answer(Frozen):
    """Is automatic pruning better? By budget, by cost at equal accuracy, and in words."""

    verdicts: tuple[Verdict, ...]
    efficiency: tuple[Efficiency, ...]
    proxies: tuple[ProxyAnswer, ...] = Field(default=(), description="of a sampler")
    summary: str
    sentences: tuple[str, ...] = Field(default=(), description="the summary's, one by one")


class DensePoint(Frozen):
    """The whole network, for comparison."""

    params: int
    macs: int
    latency_ms: float
    accuracy: Sample


def cost_of(point: Point | DensePoint, cost: CostName) -> float:
    """What a point costs."""
    return {"params": float(point.params), "macs": float(point.macs), "latency": point.latency_ms}[cost]


class Point(Frozen):
    """One arm, over seeds."""

    arm: Arm
    architecture: str = Field(description="id; of the best on the holdout, where seeds have architectures of their own")
    architectures: tuple[str, ...]
    origin: str
    method: str | None
    budget: Budget | Ratios | None
    init: Init
    match: Match = "epochs"
    subject: str = Field(default="", description="where its channels come from, however they are trained")
    params: int = Field(description="mean over the architectures")
    macs: int
    latency_ms: float = Field(
        description="of one image on one thread: the median where it was measured when all was trained, else the "
        "fastest of some runs beside other trainings"
    )
    latency: tuple[Latency, ...] = Field(default=(), description="as it was measured when all was trained")
    holdout: float = Field(description="mean of the task's first metric on the hold-out: what to choose by")
    accuracy: Sample = Field(description="the same metric on the test data")
    metrics: dict[str, Sample] = Field(description="every metric of the task on the test data")
    on_front: bool
    front_probability: float | None = Field(
        default=None,
        description="how probable it is that it is on the front of true means over all seeds there could be: the share "
        "of draws of those, each by Student's t with the spread that arms have in common; null without any spread",
    )
    dominated_by: str | None = Field(
        description="arm of a point that costs no more and is better on the hold-out; null for points of the front"
    )


class Pareto(Frozen):
    """What a job found: cost against accuracy."""

    cost: CostName
    dense: DensePoint | None
    points: tuple[Point, ...]
    hypervolume: dict[str, float] = Field(
        description="by name of an arm: the mean, over log cost, of the accuracy of its best network that costs no "
        "more, from the least cost at which every arm has a network to the dense network's; arms that have none that "
        "is cheaper than the dense one are left out"
    )
    hypervolume_intervals: dict[str, tuple[float, float] | None] = Field(
        default={}, description="95 % confidence; null without several seeds and any spread"
    )
    hypervolume_from: float | None = Field(default=None, description="the cost from which on it is meant")
    notes: tuple[str, ...] = Field(default=(), description="what to know before costs are believed")
    published: tuple[Published, ...] = Field(
        default=(),
        description="what papers report of this network on this data, each against its own dense network and with its "
        "own recipe",
    )
