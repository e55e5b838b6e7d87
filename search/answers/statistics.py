"""What can be told from chance: differences of means over seeds, and many of them at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from scipy import special

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


class Decision(Protocol):
    """An answer alone, and together with all others."""

    @property
    def answer(self) -> Direction: ...
    @property
    def adjusted_answer(self) -> Direction: ...
    @property
    def p(self) -> float | None: ...


def together(decisions: Sequence[Decision]) -> Iterator[str]:
    """That answers hold together, and how many would be others if each stood alone."""
    tests = sum(one.p is not None for one in decisions)
    if tests < 2:
        return
    words = f"All {tests} comparisons are right together 95 times in 100 (Holm)"
    if alone := sum(one.answer != one.adjusted_answer for one in decisions):
        words += f"; {alone} more would be decided if each stood alone"
    yield f"{words}."
