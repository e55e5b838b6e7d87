"""How many times cheaper automatic widths are at equal accuracy. Pure arithmetic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from espalier.search.answers.values import Efficiency, Group, Outcomes, are_compared, by_arm, with_role

RESAMPLES = 2000
ENOUGH = 0.975
"""Share of the resamples in which both curves must reach the accuracy: with fewer, a tail would be missing."""

_Metric = Literal["params", "macs"]
_Curve = list[tuple[float, float]]


def efficiency(outcomes: Outcomes, seed: int = 0) -> list[Efficiency]:
    """How many times cheaper a method is than a baseline at equal accuracy, on params and on MACs.

    Each arm's means over seeds, with the dense network's, make a curve of accuracy over log cost; the factor is read
    in the middle of the accuracies that both curves reach. The interval is the 2.5 to 97.5 percentile over resampled
    seeds (bootstrap). Null where the curves do not overlap; the interval also where resampled ones often do not.
    """
    groups = by_arm(outcomes)
    dense = [group for group in groups if group.arm.role == "reference"]
    automatic, baselines = with_role(groups, "automatic"), with_role(groups, "baseline")
    metrics: tuple[_Metric, ...] = ("params", "macs")
    return [
        _efficiency(ours, theirs, dense, metric, np.random.default_rng(seed))
        for ours, theirs, metric in itertools.product(automatic.values(), baselines.values(), metrics)
        if are_compared(ours[0], theirs[0])
    ]


def _efficiency(
    ours: list[Group], theirs: list[Group], dense: list[Group], metric: _Metric, generator: np.random.Generator
) -> Efficiency:
    cells = [_numbers(groups, metric) for groups in (ours, theirs, dense)]
    curves = [[_mean_point(cell) for cell in some] for some in cells]
    point = _factor(curves[0] + curves[2], curves[1] + curves[2])
    factors = []
    if point is not None and any(len(cell) > 1 for some in cells for cell in some):
        drawn = zip(*(_resampled(some, generator) for some in cells), strict=True)  # the dense network drawn once
        found = [_factor(a + both, b + both, at=point[1]) for a, b, both in drawn]
        factors = [one[0] for one in found if one is not None]
    low_high = np.percentile(factors, [2.5, 97.5]) if len(factors) >= ENOUGH * RESAMPLES else None
    return Efficiency(
        method=ours[0].candidate.method or ours[0].arm.name,
        against=theirs[0].arm.name,
        name=ours[0].arm.name,
        metric=metric,
        init=ours[0].candidate.init,
        factor=point[0] if point else None,
        interval=(float(low_high[0]), float(low_high[1])) if low_high is not None else None,
        at_accuracy=point[1] if point else None,
    )


def _numbers(groups: Sequence[Group], metric: _Metric) -> list[np.ndarray]:
    """For each budget an array [seed, 2] of log cost and accuracy."""
    return [
        np.array([(math.log(getattr(result.counted, metric)), result.reported) for result in group.results])
        for group in groups
    ]


def _resampled(cells: Sequence[np.ndarray], generator: np.random.Generator) -> list[_Curve]:
    """The curves that as many seeds, drawn with replacement, would have shown; RESAMPLES of them."""
    if not cells:
        return [[] for _ in range(RESAMPLES)]
    drawn = [cell[generator.integers(0, len(cell), (RESAMPLES, len(cell)))].mean(axis=1) for cell in cells]
    return [[(float(x), float(y)) for x, y in points] for points in np.stack(drawn, axis=1)]


def _mean_point(cell: np.ndarray) -> tuple[float, float]:
    return float(cell[:, 0].mean()), float(cell[:, 1].mean())


def _factor(ours: _Curve, theirs: _Curve, at: float | None = None) -> tuple[float, float] | None:
    """(how many times cheaper `ours` is, accuracy where it was read), or None without overlap."""
    curves = [_rising(curve) for curve in (ours, theirs)]
    low = max(curve[0][1] for curve in curves)
    high = min(curve[-1][1] for curve in curves)
    level = (low + high) / 2 if at is None else at
    if any(len(curve) < 2 for curve in curves) or not low < high or not low <= level <= high:
        return None
    ours_cost, theirs_cost = (_cost_at(level, curve) for curve in curves)
    return math.exp(theirs_cost - ours_cost), level


def _cost_at(level: float, curve: _Curve) -> float:
    """Log cost where a rising curve reaches an accuracy, linear between its points."""
    (x0, y0), (x1, y1) = next((a, b) for a, b in itertools.pairwise(curve) if b[1] >= level)
    return x0 + (x1 - x0) * (level - y0) / (y1 - y0)


def _rising(curve: _Curve) -> _Curve:
    """The undominated part of a curve: cost and accuracy both strictly rise."""
    rising: _Curve = []
    for cost, accuracy in sorted(curve, key=lambda p: (p[0], -p[1])):
        if not rising or accuracy > rising[-1][1]:
            rising.append((cost, accuracy))
    return rising
