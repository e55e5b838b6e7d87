"""The Pareto front of cost against accuracy over seed means, and the hypervolume under it. Pure arithmetic."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from statistics import fmean

from espalier.search.answers.values import CostName, DensePoint, Group, Outcomes, Pareto, Point, by_arm, sample
from espalier.search.results import Result


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


def hypervolume(points: Sequence[tuple[float, float]], dense_cost: float) -> float:
    """Area under the front: accuracy over log10(dense cost / cost), from the dense cost down three decades.

    Log cost, since a budget is a factor; in [0, 3] x [0, 1], divided by 3, so that 1 is a perfect network at a
    thousandth of the cost and 0 is no network at all.
    """
    reach = 3.0
    savings = [(min(reach, math.log10(dense_cost / cost)), accuracy) for cost, accuracy in points if cost <= dense_cost]
    area, covered = 0.0, 0.0
    for saving, accuracy in sorted(savings, key=lambda p: -p[1]):
        if saving > covered:
            area += (saving - covered) * accuracy
            covered = saving
    return area / reach


def pareto(outcomes: Outcomes, cost: CostName) -> Pareto:
    """The front of a job from what results there are.

    Which points are on it is decided by the hold-out, like every choice; the test accuracy is only reported.
    """
    groups = by_arm(outcomes)
    means = [_point(group) for group in groups]
    signs = [group.results[0].metric.sign for group in groups]
    values = [(_cost(point, cost), sign * point.holdout) for point, sign in zip(means, signs, strict=True)]
    points = [
        point.model_copy(update={"on_front": by is None, "dominated_by": None if by is None else means[by].arm.id})
        for point, by in zip(means, undominated(values), strict=True)
    ]
    points.sort(key=lambda point: _cost(point, cost))
    dense = next((point for point in points if point.arm.role == "reference"), None)
    return Pareto(
        cost=cost,
        dense=DensePoint.model_validate(dense.model_dump(include=set(DensePoint.model_fields))) if dense else None,
        points=tuple(points),
        hypervolume=_hypervolumes(points, dense, cost),
    )


def _point(group: Group) -> Point:
    results, candidate = group.results, group.candidate
    sign = results[0].metric.sign
    best = max(results, key=lambda result: sign * result.chosen_by)
    return Point(
        arm=group.arm,
        architecture=best.config.id,
        architectures=tuple(dict.fromkeys(result.config.id for result in results)),
        origin=candidate.origin.kind,
        method=candidate.method,
        budget=candidate.budget,
        init=candidate.init,
        match=candidate.recipe.match,
        subject=candidate.origin.subject,
        params=round(fmean(result.counted.params for result in results)),
        macs=round(fmean(result.counted.macs for result in results)),
        latency_ms=fmean(result.latency_ms for result in results),
        holdout=fmean(result.chosen_by for result in results),
        accuracy=sample([result.reported for result in results]),
        metrics={name: sample([result.test[name] for result in results]) for name in _common(results)},
        on_front=False,
        dominated_by=None,
    )


def _common(results: Sequence[Result]) -> list[str]:
    """Metrics that every result has; a release may have added one between two of them."""
    return [name for name in results[0].test if all(name in result.test for result in results)]


def _cost(point: Point, cost: CostName) -> float:
    return {"params": float(point.params), "macs": float(point.macs), "latency": point.latency_ms}[cost]


def _hypervolumes(points: Sequence[Point], dense: Point | None, cost: CostName) -> dict[str, float]:
    """Of every curve, the dense network counted with each."""
    if dense is None:
        return {}
    names = dict.fromkeys(point.arm.name for point in points if point is not dense)
    return {
        name: hypervolume(
            [(_cost(p, cost), p.accuracy.mean) for p in points if p is dense or p.arm.name == name], _cost(dense, cost)
        )
        for name in names
    }
