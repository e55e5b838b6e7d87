"""The Pareto front of cost against accuracy over seed means, and the hypervolume under it. Pure arithmetic."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from statistics import fmean

from espalier.search.types import Budget, Candidate, CostName, DensePoint, Init, Pareto, Point, Result
from espalier.search.verdict import sample


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


Cell = list[tuple[Candidate, Result]]


def pareto(outcomes: Sequence[tuple[Candidate, Result]], cost: CostName) -> Pareto:
    """The front of a job from what results there are. A method's sparsely trained parent is not a point.

    Which points are on it is decided by the holdout, like every choice; the test accuracy is only reported.
    """
    cells: dict[tuple[str, str | None, Budget | None, Init], Cell] = {}
    for candidate, result in outcomes:
        if candidate.origin.kind != "dense" or candidate.method is None:
            name = (candidate.origin.kind, candidate.method, candidate.budget, candidate.init)
            cells.setdefault(name, []).append((candidate, result))
    means = [_point(*name, cell) for name, cell in cells.items()]
    dominated = undominated([(_cost(point, cost), point.holdout) for point in means])
    points = [
        point.model_copy(
            update={"on_front": by is None, "dominated_by": None if by is None else means[by].architecture}
        )
        for point, by in zip(means, dominated, strict=True)
    ]
    points.sort(key=lambda point: _cost(point, cost))
    dense = next((point for point in points if point.origin == "dense"), None)
    return Pareto(
        cost=cost,
        dense=DensePoint.model_validate(dense.model_dump(include=set(DensePoint.model_fields))) if dense else None,
        points=tuple(points),
        hypervolume=_hypervolumes(points, dense, cost),
    )


def _point(kind: str, method: str | None, budget: Budget | None, init: Init, cell: Cell) -> Point:
    results = [result for _, result in cell]
    best = max(results, key=lambda result: result.holdout)
    return Point(
        architecture=best.config.id,
        architectures=tuple(dict.fromkeys(result.config.id for result in results)),
        origin=kind,
        method=method,
        budget=budget,
        init=init,
        params=round(fmean(result.cost.params for result in results)),
        macs=round(fmean(result.cost.macs for result in results)),
        latency_ms=fmean(result.latency_ms for result in results),
        holdout=fmean(result.holdout for result in results),
        accuracy=sample([result.accuracy for result in results]),
        on_front=False,
        dominated_by=None,
    )


def _cost(point: Point, cost: CostName) -> float:
    return {"params": float(point.params), "macs": float(point.macs), "latency": point.latency_ms}[cost]


def _hypervolumes(points: Sequence[Point], dense: Point | None, cost: CostName) -> dict[str, float]:
    """Of every method and baseline, the dense network counted with each."""
    if dense is None:
        return {}
    arms = dict.fromkeys(_arm(point) for point in points if point is not dense)
    return {
        arm: hypervolume(
            [(_cost(p, cost), p.accuracy.mean) for p in points if p is dense or _arm(p) == arm], _cost(dense, cost)
        )
        for arm in arms
    }


def _arm(point: Point) -> str:
    return (point.method or point.origin) + (f" {point.init}" if point.init != "scratch" else "")
