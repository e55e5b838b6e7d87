"""How many times cheaper automatic widths are at equal accuracy. Pure arithmetic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from espalier.search.answers.statistics import ROUNDING, Part, parts_of, reach
from espalier.search.answers.values import (
    Efficiency,
    Group,
    Outcomes,
    are_compared,
    by_arm,
    rising,
    why_not_compared,
    with_role,
)

_Metric = Literal["params", "macs"]
Cell = Mapping[int, tuple[float, float]]
"""One arm at one budget: seed -> log cost and accuracy."""
_SAYS_NOTHING = math.log(1000)
"""Half of an interval, as a log cost, from which on it is none."""


class Factor(NamedTuple):
    """How many times cheaper one curve is than another where both reach the same accuracy."""

    value: float
    level: float
    """The accuracy at which it is read: the middle of those that both reach."""
    interval: tuple[float, float] | None
    """With 95 % confidence; None if a point that it is read from has one seed or none of them any spread, or if it
    would reach from a thousandth to a thousand times."""
    extremes: tuple[float, float]
    """The least and the largest, over all accuracies that both reach."""
    through_dense: bool
    """Whether a curve reaches it on the way to the dense network alone."""


def efficiency(outcomes: Outcomes) -> list[Efficiency]:
    """How many times cheaper a method is than a baseline at equal accuracy, on params and on MACs; see `factor`."""
    groups = by_arm(outcomes)
    dense = [group for group in groups if group.arm.role == "reference"]
    automatic, baselines = with_role(groups, "automatic"), with_role(groups, "baseline")
    metrics: tuple[_Metric, ...] = ("params", "macs")
    cells = {metric: {group.arm.id: _cell(group, metric) for group in groups} for metric in metrics}
    return [
        _efficiency(ours, theirs, dense, metric, cells[metric])
        for ours, theirs, metric in itertools.product(automatic.values(), baselines.values(), metrics)
        if are_compared(ours[0], theirs[0])
    ]


def _efficiency(
    ours: list[Group], theirs: list[Group], dense: list[Group], metric: _Metric, cells: Mapping[str, Cell]
) -> Efficiency:
    refused = why_not_compared(*ours, *theirs)
    whole = [one for one in dense if why_not_compared(one, *ours, *theirs) is None]
    curves = ([cells[group.arm.id] for group in groups] for groups in (ours, theirs, whole))
    found = None if refused else factor(*curves)
    sign = ours[0].results[0].metric.sign
    return Efficiency(
        method=ours[0].candidate.method or ours[0].arm.name,
        against=theirs[0].arm.name,
        name=ours[0].arm.name,
        metric=metric,
        init=ours[0].candidate.init,
        refused=refused,
        unread=None if found or refused else _unread(ours, theirs, dense),
        factor=found.value if found else None,
        interval=found.interval if found else None,
        at_accuracy=sign * found.level if found else None,
        extremes=found.extremes if found else None,
        through_dense=found.through_dense if found else False,
    )


def _unread(ours: list[Group], theirs: list[Group], dense: list[Group]) -> str:
    """Why no factor was found."""
    if min(len(ours), len(theirs)) < 2 and not dense:
        return "one budget makes no curve, and the dense network has no result"
    return "no accuracy is reached by both curves"


def _cell(group: Group, metric: _Metric) -> Cell:
    return {
        candidate.seed: (math.log(getattr(one.counted, metric)), one.metric.sign * one.reported)
        for candidate, one in group.outcomes
    }


def factor(ours: Sequence[Cell], theirs: Sequence[Cell], dense: Sequence[Cell]) -> Factor | None:
    """How many times cheaper `ours` are at equal accuracy, or None where no accuracy is reached by both.

    The means of an arm's cells make a curve of accuracy over log cost, straight between them. The dense network ends
    both only where they have no accuracy in common without it, since a line to it says little of the networks between.
    The interval is the delta method's on the difference of log costs, with Welch and Satterthwaite's degrees of
    freedom; the level is taken as given. A seed's networks share a parent, so they vary together.
    """
    own, others = _points(ours, "ours"), _points(theirs, "theirs")
    for shared in ([], _points(dense, "dense")):
        curves = [_rising([*own, *shared]), _rising([*others, *shared])]
        if not all(len(curve) > 1 for curve in curves):
            continue
        low, high = max(curve[0].accuracy for curve in curves), min(curve[-1].accuracy for curve in curves)
        if low < high:
            return _read(curves, low, high, through_dense=bool(len(shared)))
    return None


Side = Literal["ours", "theirs", "dense"]


class _Point(NamedTuple):
    """One cell's mean."""

    cost: float
    accuracy: float
    cell: Cell
    side: Side


def _points(cells: Sequence[Cell], side: Side) -> list[_Point]:
    means = (np.mean([*cell.values()], axis=0) for cell in cells)
    return [_Point(float(mean[0]), float(mean[1]), cell, side) for mean, cell in zip(means, cells, strict=True)]


def _rising(points: Sequence[_Point]) -> list[_Point]:
    """The undominated part of a curve: cost and accuracy both rise."""
    return rising(points, lambda point: (point.cost, point.accuracy), by=ROUNDING)


def _read(curves: Sequence[list[_Point]], low: float, high: float, through_dense: bool) -> Factor:
    ours, theirs = curves
    level = (low + high) / 2
    bends = {low, high, *(point.accuracy for curve in curves for point in curve if low < point.accuracy < high)}
    factors = [math.exp(_cost_at(at, theirs) - _cost_at(at, ours)) for at in bends]  # straight between its bends
    value = _cost_at(level, theirs) - _cost_at(level, ours)
    by = _reach([*_weights(level, theirs, 1), *_weights(level, ours, -1)])
    return Factor(
        value=math.exp(value),
        level=level,
        interval=None if by is None or by > _SAYS_NOTHING else (math.exp(value - by), math.exp(value + by)),
        extremes=(min(factors), max(factors)),
        through_dense=through_dense,
    )


def _between(level: float, curve: list[_Point]) -> tuple[_Point, _Point, float]:
    """The two points between which a curve reaches an accuracy, and how far on the way."""
    before, after = next((a, b) for a, b in itertools.pairwise(curve) if b.accuracy >= level)
    return before, after, (level - before.accuracy) / (after.accuracy - before.accuracy)


def _cost_at(level: float, curve: list[_Point]) -> float:
    before, after, way = _between(level, curve)
    return before.cost + way * (after.cost - before.cost)


class _Weighted(NamedTuple):
    """How a difference of log costs changes with the log cost and the accuracy of a point that it is read from."""

    point: _Point
    of_cost: float
    of_accuracy: float


def _weights(level: float, curve: list[_Point], sign: int) -> Iterator[_Weighted]:
    before, after, way = _between(level, curve)
    slope = (after.cost - before.cost) / (after.accuracy - before.accuracy)
    for point, share in ((before, 1 - way), (after, way)):
        yield _Weighted(point, sign * share, -sign * share * slope)


def _reach(weighted: Sequence[_Weighted]) -> float | None:
    """Half of the interval of the difference of log costs. A side whose accuracies do not vary is taken to vary as the
    others do."""
    varied = [spread for one in weighted if (spread := _spread(one.point.cell)) > ROUNDING**2]
    if not varied or any(len(one.point.cell) < 2 for one in weighted):
        return None
    parts: list[Part] = []
    for side in get_args(Side):
        own = [one for one in weighted if one.point.side == side]
        if own and not any(_spread(one.point.cell) > ROUNDING**2 for one in own):
            borrowed = float(np.mean(varied))
            parts += [Part(borrowed * one.of_accuracy**2 / len(one.point.cell), 0) for one in own]
        terms = [
            {seed: one.of_cost * cost + one.of_accuracy * accuracy for seed, (cost, accuracy) in one.point.cell.items()}
            for one in own
        ]
        parts += parts_of(terms) or []
    return reach(parts)


def _spread(cell: Cell) -> float:
    """The variance of its accuracies."""
    return float(np.var([accuracy for _, accuracy in cell.values()], ddof=1)) if len(cell) > 1 else 0.0
