"""What can be told from chance: differences of means over seeds, and many of them at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy import special

from espalier.models.document import Frozen

CONFIDENCE = 0.95
ROUNDING = 1e-9
"""Values that differ by less are equal."""

Direction = Literal["better", "worse", "undecided"]


class Difference(NamedTuple):
    """The difference of two means."""

    value: float
    interval: tuple[float, float] | None
    """With 95 % confidence; None without spread to tell the difference from."""
    p: float | None
    """How often chance alone makes a difference as large."""


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """mean(ours) - mean(theirs), by Welch's t test.

    One side without any spread is taken to spread as the other does: with few seeds and few test images it has none by
    chance, and Welch's test would be wrong up to 9 times in 100 there.
    """
    value = float(np.mean(ours) - np.mean(theirs))
    samples = (ours, theirs)
    varied = [values for values in samples if np.ptp(values) > ROUNDING]
    if min(map(len, samples)) < 2 or not varied:
        return Difference(value, None, None)
    shares = [float(np.var(v if np.ptp(v) > ROUNDING else varied[0], ddof=1)) / len(v) for v in samples]
    freedom = len(varied[0]) - 1.0
    if len(varied) == 2:
        freedom = sum(shares) ** 2 / sum(s**2 / (len(v) - 1) for s, v in zip(shares, samples, strict=True))
    error = math.sqrt(sum(shares))
    reach = float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    return Difference(value, (value - reach, value + reach), float(2 * special.stdtr(freedom, -abs(value) / error)))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p values of many tests, adjusted so that all answers at 5 % are right together 95 times in 100 (Holm 1979): the
    k-th smallest of n is multiplied by n - k + 1, and none is smaller than one before it. None is no test."""
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    most = 0.0
    for rank, (p, place) in enumerate(order):
        adjusted[place] = most = max(most, min(1.0, (len(order) - rank) * p))
    return adjusted


def supported(value: float, p: float | None, sign: int) -> Direction:
    """The answer that a difference supports; `sign` is -1 where less is better."""
    if p is None or p > 1 - CONFIDENCE:
        return "undecided"
    return "better" if sign * value > 0 else "worse"


class Decision(Frozen):
    """What a difference supports, alone and together with all others of a job."""

    difference: float = Field(description="of means, ours - theirs; of accuracies as a fraction")
    interval: tuple[float, float] | None = Field(description="95 % confidence; null without spread to tell it from")
    p: float | None = Field(default=None, description="how often chance alone makes a difference as large (Welch)")
    answer: Direction = Field(description="of this comparison alone")
    adjusted_p: float | None = Field(default=None, description="for all comparisons of the job together (Holm 1979)")
    adjusted_answer: Direction = Field(
        default="undecided", description="one that is right together with all others of the job, 95 times in 100"
    )


def decided(comparisons: Sequence[tuple[Sequence[float], Sequence[float], int]]) -> list[Decision]:
    """All comparisons of a job: our values, theirs, and the sign by which more is better."""
    found = [difference(ours, theirs) for ours, theirs, _ in comparisons]
    adjusted = holm([one.p for one in found])
    return [
        Decision(
            difference=one.value,
            interval=one.interval,
            p=one.p,
            answer=supported(one.value, one.p, sign),
            adjusted_p=p,
            adjusted_answer=supported(one.value, p, sign),
        )
        for one, p, (_, _, sign) in zip(found, adjusted, comparisons, strict=True)
    ]


def together(decisions: Sequence[Decision]) -> Iterator[str]:
    """That answers hold together, and how many would be others if each stood alone."""
    tests = sum(one.p is not None for one in decisions)
    if tests < 2:
        return
    words = f"All {tests} comparisons are right together 95 times in 100 (Holm)"
    if alone := sum(one.answer != one.adjusted_answer for one in decisions):
        words += f"; {alone} more would be decided if each stood alone"
    yield f"{words}."
