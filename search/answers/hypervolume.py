"""How good one arm's networks are over a range of costs, in one number. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from espalier.search.answers.statistics import parts_of, reach
from espalier.search.answers.values import rising


class Step(NamedTuple):
    """The networks of one arm at one budget."""

    cost: float
    chosen_by: float
    """How good they are on the hold-out, so that more is better."""
    values: Mapping[int, float]
    """Seed -> what is reported of it."""


class Hypervolume(NamedTuple):
    """The mean, over log cost, of what the best network reports that costs no more."""

    value: float
    interval: tuple[float, float] | None
    """With 95 % confidence; None if a network that counts has one seed, or none of them any spread."""


def hypervolume(steps: Sequence[Step], least: float, most: float) -> Hypervolume | None:
    """Of budgets from `least` to `most`, log cost, since a budget is a factor. None if nothing costs as little as the
    least, or if that is the most.

    The best is chosen by the hold-out. A network that costs less than the least counts as far as none in the range is
    better, and the number lies among the reported ones: so one that is cheap and useless adds nothing.
    """
    stair = rising([step for step in steps if step.cost < most], lambda step: (step.cost, step.chosen_by))
    if not stair or stair[0].cost > least or not least < most:
        return None
    ends = [*(max(least, step.cost) for step in stair[1:]), most]
    starts = [max(least, step.cost) for step in stair]
    shares = [math.log(end / start) / math.log(most / least) for start, end in zip(starts, ends, strict=True)]
    counted = [(share, step.values) for share, step in zip(shares, stair, strict=True) if share]
    value = sum(share * fmean(values.values()) for share, values in counted)
    parts = parts_of([{seed: share * one for seed, one in values.items()} for share, values in counted])
    by = reach(parts) if parts else None
    return Hypervolume(value, None if by is None else (value - by, value + by))
