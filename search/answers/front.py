"""The Pareto front of cost against accuracy over seed means. Pure arithmetic."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from espalier.search.answers.chance import front_probabilities
from espalier.search.answers.hypervolume import Hypervolume, Step, hypervolume
from espalier.search.answers.values import CostName, DensePoint, Group, Outcomes, Pareto, Point, by_arm, cost_of, sample
from espalier.search.comparable import Comparable
from espalier.search.published import Published, published
from espalier.search.results import Latencies, Latency

SMALL, NO_FASTER = 0.5, 0.9
"""Shares of the dense network's parameters and time: a network that has no more, and takes no less, is worth a word."""
CHEAPER = 0.95
"""Share of the dense network's cost below which an arm has to have a network, to have a hypervolume."""


def undominated(points: Sequence[tuple[float, float]]) -> list[int | None]:
    """For each (cost, accuracy): None if it is on the front, else the index of a point that dominates it.

    Point a dominates b if it costs no more and is at least as accurate, and is better in one of the two. Equal
    points do not dominate each other. The one named is the cheapest front point that dominates. O(n log n).
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    dominated: list[int | None] = [None] * len(points)
    front: list[int] = []  # by rising cost and accuracy
    heights: list[float] = []  # the front's accuracies
    for i in order:
        best = front[-1] if front else None
        if best is None or points[i][1] > points[best][1]:
            front.append(i)
            heights.append(points[i][1])
        elif points[i] != points[best]:
            dominated[i] = front[bisect.bisect_left(heights, points[i][1])]
    return dominated


def pareto(outcomes: Outcomes, cost: CostName, latencies: Latencies | None = None) -> Pareto:
    """The front of a job from what results there are, and from latencies that were measured when all was trained.

    Which points are on it is decided by the hold-out, like every choice; the test accuracy is only reported.
    """
    return fronts(outcomes, [cost], latencies)[cost]


def fronts(outcomes: Outcomes, costs: Sequence[CostName], latencies: Latencies | None = None) -> dict[CostName, Pareto]:
    """The fronts over several costs; what each point is is found once."""
    groups = by_arm(outcomes)
    means = [_point(group, latencies or {}) for group in groups]
    reported = published(outcomes[0][0].target) if outcomes else ()
    return {cost: _front(groups, means, cost, reported) for cost in costs}


def _front(groups: Sequence[Group], means: Sequence[Point], cost: CostName, reported: tuple[Published, ...]) -> Pareto:
    signs = [group.results[0].metric.sign for group in groups]
    values = [(cost_of(point, cost), sign * point.holdout) for point, sign in zip(means, signs, strict=True)]
    by_seed = [[sign * one.chosen_by for one in group.results] for group, sign in zip(groups, signs, strict=True)]
    found = front_probabilities([value for value, _ in values], by_seed)
    chances: Sequence[float | None] = found or [None] * len(values)
    points = [
        point.model_copy(
            update={
                "on_front": by is None,
                "front_probability": chance,
                "dominated_by": None if by is None else means[by].arm.id,
            }
        )
        for point, by, chance in zip(means, undominated(values), chances, strict=True)
    ]
    points.sort(key=lambda point: cost_of(point, cost))
    dense = next((point for point in points if point.arm.role == "reference"), None)
    most = 0.0 if dense is None else cost_of(dense, cost)
    steps = _steps(groups, means, cost)
    cheapest = [min(step.cost for step in curve) for curve in steps.values()]
    least = max((one for one in cheapest if one < CHEAPER * most), default=None)
    volumes = {} if least is None else _hypervolumes(steps, least, most)
    return Pareto(
        cost=cost,
        dense=DensePoint.model_validate(dense.model_dump(include=set(DensePoint.model_fields))) if dense else None,
        points=tuple(points),
        hypervolume={name: found.value for name, found in volumes.items()},
        hypervolume_intervals={name: found.interval for name, found in volumes.items()},
        hypervolume_from=least if volumes else None,
        notes=tuple(_notes(dense, points)),
        published=reported,
    )


def _notes(dense: Point | None, points: Sequence[Point]) -> Iterator[str]:
    """Where a smaller network is not a faster one."""
    if dense is None:
        return
    small = [one for one in points if one.params <= SMALL * dense.params and one.latency]
    for place, whole in enumerate(dense.latency):
        images, threads = whole.images, whole.threads
        slow = [one for one in small if one.latency[place].median_ms >= NO_FASTER * whole.median_ms]
        if slow:
            yield (
                f"{len(slow)} of {len(small)} networks with at most half of the parameters take at least "
                f"{100 * NO_FASTER:.0f} % of the whole network's time ({images} image{'s' * (images > 1)} at once, "
                f"{threads} thread{'s' * (threads > 1)}): there, fewer parameters are not less time."
            )


def _point(group: Group, latencies: Latencies) -> Point:
    results, candidate = group.results, group.candidate
    latency = _mean_latency([latencies.get(result.architecture, ()) for result in results])
    sign = results[0].metric.sign
    best = max(results, key=lambda result: sign * result.chosen_by)
    return Point(
        arm=group.arm,
        architecture=best.architecture,
        architectures=tuple(dict.fromkeys(result.architecture for result in results)),
        origin=candidate.origin.kind,
        method=candidate.method,
        budget=candidate.budget,
        init=candidate.init,
        match=candidate.recipe.match,
        subject=candidate.origin.subject,
        params=round(fmean(result.counted.params for result in results)),
        macs=round(fmean(result.counted.macs for result in results)),
        latency_ms=latency[0].median_ms if latency else fmean(result.latency_ms for result in results),
        latency=latency,
        holdout=fmean(result.chosen_by for result in results),
        accuracy=sample([result.reported for result in results]),
        metrics={name: sample([result.test[name] for result in results]) for name in _common(results)},
        on_front=False,
        dominated_by=None,
    )


def _mean_latency(measured: Sequence[tuple[Latency, ...]]) -> tuple[Latency, ...]:
    """Over the networks of an arm's seeds; nothing unless all were measured."""
    if not all(measured):
        return ()
    return tuple(
        same[0].model_copy(
            update={
                "median_ms": fmean(one.median_ms for one in same),
                "quartiles_ms": tuple(fmean(one.quartiles_ms[i] for one in same) for i in (0, 1)),
            }
        )
        for same in zip(*measured, strict=False)
    )


def _common(results: Sequence[Comparable]) -> list[str]:
    """Metrics that every result has; a release may have added one between two of them."""
    return [name for name in results[0].test if all(name in result.test for result in results)]


def _steps(groups: Sequence[Group], means: Sequence[Point], cost: CostName) -> dict[str, list[Step]]:
    """Of every curve, its points; the dense network is none of them."""
    steps: dict[str, list[Step]] = {}
    for group, point in zip(groups, means, strict=True):
        if group.arm.role != "reference":
            values = {candidate.seed: result.reported for candidate, result in group.outcomes}
            step = Step(cost_of(point, cost), group.chosen_by, values)
            steps.setdefault(group.arm.name, []).append(step)
    return steps


def _hypervolumes(steps: Mapping[str, list[Step]], least: float, most: float) -> dict[str, Hypervolume]:
    """Of every curve, over the costs from which all have a network, up to the dense one's."""
    found = {name: hypervolume(curve, least, most) for name, curve in steps.items()}
    return {name: volume for name, volume in found.items() if volume is not None}
