"""Which network to take for a budget. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import Field

from espalier.models.document import Frozen
from espalier.search.answers.values import Outcomes, Pareto, Point
from espalier.search.comparable import Comparable


class Choice(Frozen):
    """One network, of one seed."""

    point: Point = Field(description="the arm that it is of, over all seeds")
    architecture: str
    seed: int
    params: int
    macs: int


def choose(front: Pareto, outcomes: Outcomes, most: float) -> Choice | None:
    """Of the networks on the front that cost at most so much, one of the arm that is best on the hold-out, and of its
    seeds the best; None if there is none. What one network costs may differ from the mean of its arm."""
    fitting = [one for one in _networks(front, outcomes) if one.cost <= most]
    if not fitting:
        return None
    best = max(fitting, key=lambda one: one.goodness)
    counted = best.result.counted
    return Choice(
        point=best.point,
        architecture=best.result.architecture,
        seed=best.seed,
        params=counted.params,
        macs=counted.macs,
    )


def cheapest(front: Pareto, outcomes: Outcomes) -> float:
    """What the cheapest network on the front costs; 0 if there is none."""
    return min((one.cost for one in _networks(front, outcomes)), default=0.0)


class _Network(NamedTuple):
    cost: float
    """Its own; latency is known of its arm alone."""
    point: Point
    seed: int
    result: Comparable

    @property
    def goodness(self) -> tuple[float, float]:
        sign = self.result.metric.sign
        return sign * self.point.holdout, sign * self.result.chosen_by


def _networks(front: Pareto, outcomes: Outcomes) -> Iterator[_Network]:
    """Of the arms on the front, every seed's."""
    points = {point.arm.id: point for point in front.points if point.on_front}
    for candidate, result in outcomes:
        if (point := points.get(candidate.arm.id)) is not None:
            cost = point.latency_ms if front.cost == "latency" else float(getattr(result.counted, front.cost))
            yield _Network(cost, point, candidate.seed, result)
