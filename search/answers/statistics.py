"""What can be told from chance: differences of means over seeds, and many of them at once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from espalier.models.document import Frozen
from espalier.search.spec import MOST_SEEDS

CONFIDENCE = 0.95
POWER = 0.8
"""How often a difference is to be found that is said to be large enough for it."""
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


def difference(ours: Sequence[float], theirs: Sequence[float], looks: int = 1) -> Difference:
    """mean(ours) - mean(theirs), by Welch's t test; p and interval allow for so many looks at growing data
    (Bonferroni).

    One side without any spread is taken to spread as the other does: with few seeds and few test images it has none by
    chance, and Welch's test would be wrong up to 9 times in 100 there.
    """
    value = float(np.mean(ours) - np.mean(theirs))
    spreads = _spreads(ours, theirs)
    if spreads is None:
        return Difference(value, None, None)
    error, freedom = _error(spreads, (len(ours), len(theirs)))
    by = _student(freedom, _level(looks)) * error
    p = min(1.0, looks * 2 * _below(-abs(value) / error, freedom))
    return Difference(value, (value - by, value + by), p)


def _level(tests: int) -> float:
    """The confidence of each of so many tests with which all are right 95 times in 100."""
    return 1 - (1 - CONFIDENCE) / tests


class _Spread(NamedTuple):
    """A variance, and the degrees of freedom that it was measured with; none where it is the other side's."""

    variance: float
    freedom: int


def _spreads(ours: Sequence[float], theirs: Sequence[float]) -> tuple[_Spread, _Spread] | None:
    """Of both sides; None where nothing is known of either."""
    samples = (ours, theirs)
    varied = [values for values in samples if len(values) > 1 and np.ptp(values) > ROUNDING]
    if min(map(len, samples)) < 2 or not varied:
        return None
    own = [_Spread(float(np.var(v, ddof=1)), len(v) - 1) for v in varied]
    borrowed = _Spread(own[0].variance, 0)
    first, second = (own.pop(0) if np.ptp(v) > ROUNDING else borrowed for v in samples)
    return first, second


def _error(spreads: tuple[_Spread, _Spread], counts: tuple[int, int]) -> tuple[float, float]:
    """Standard error of the difference of means of so many values, and its degrees of freedom.

    Where so many seeds of one side failed that it has two values, or half as many as the other, they are no more than
    its own: Welch's test is wrong up to 11 times in 100 there.
    """
    parts = [Part(spread.variance / count, spread.freedom) for spread, count in zip(spreads, counts, strict=True)]
    freedom = _freedom(parts)
    fewer, more = sorted(counts)
    if fewer < more and (fewer == 2 or 2 * fewer <= more):
        freedom = min(freedom, fewer - 1)
    return math.sqrt(sum(part.share for part in parts)), freedom


class Power(NamedTuple):
    """What a comparison could have found, and what it takes to find more."""

    detectable: float
    """A difference that is found 80 times in 100."""
    seeds: int | None
    """Of each side, with which a difference as large as the one seen is found 80 times in 100, if it is true; None if
    that takes more than a job may have."""


def power(ours: Sequence[float], theirs: Sequence[float], tests: int = 1) -> Power | None:
    """Of the test of a difference, among so many that are to be right together; None without spread. By the noncentral
    t distribution, for spreads as they were measured."""
    spreads = _spreads(ours, theirs)
    if spreads is None:
        return None
    seen = abs(float(np.mean(ours) - np.mean(theirs)))
    counts = range(2, MOST_SEEDS + 1)
    enough = bisect_left(counts, -seen, key=lambda n: -_detectable(_with(spreads, n), (n, n), tests))
    return Power(
        _detectable(spreads, (len(ours), len(theirs)), tests), counts[enough] if enough < len(counts) else None
    )


def _with(spreads: tuple[_Spread, _Spread], count: int) -> tuple[_Spread, _Spread]:
    """The same variances, measured in so many values."""
    first, second = (_Spread(spread.variance, count - 1 if spread.freedom else 0) for spread in spreads)
    return first, second


def _detectable(spreads: tuple[_Spread, _Spread], counts: tuple[int, int], tests: int) -> float:
    error, freedom = _error(spreads, counts)
    critical = _student(freedom, _level(tests))
    return _shift(freedom, critical) * error


class Part(NamedTuple):
    """One of the independent means that something is a sum of."""

    share: float
    """Variance of the mean."""
    freedom: int
    """Degrees of freedom that it was measured with; 0 if it is taken from elsewhere."""


def parts_of(terms: Sequence[Mapping[int, float]]) -> list[Part] | None:
    """The sum of some means, each of a value for every seed. None if one has a single seed.

    Seeds have a parent of their own, in whatever they are trained for: so where all have the same seeds, terms are
    added seed by seed, and those sums are what varies.
    """
    if any(len(term) < 2 for term in terms):
        return None
    if len({frozenset(term) for term in terms}) == 1:
        terms = [{seed: sum(term[seed] for term in terms) for seed in terms[0]}]
    values = [[*term.values()] for term in terms]
    varied = [one for one in values if np.ptp(one) > ROUNDING]
    return [Part(float(np.var(one, ddof=1)) / len(one), len(one) - 1) for one in varied]


def reach(parts: Sequence[Part]) -> float | None:
    """How far a sum of independent means may lie from the truth, with 95 % confidence, by Student's t. None if nothing
    was measured to vary."""
    if not any(part.freedom for part in parts):
        return None
    return _student(_freedom(parts)) * math.sqrt(sum(part.share for part in parts))


def _freedom(parts: Sequence[Part]) -> float:
    """Degrees of freedom of a sum of variances (Welch 1947, Satterthwaite 1946), of those that were measured."""
    measured = [part for part in parts if part.freedom]
    return sum(part.share for part in measured) ** 2 / sum(part.share**2 / part.freedom for part in measured)


# Student's t. SciPy takes a quarter of a second to come, which every command would wait for that asks for no test.


def _student(freedom: float, level: float = CONFIDENCE) -> float:
    """How far from zero the middle of it reaches that has this share."""
    from scipy import special

    return float(special.stdtrit(freedom, (1 + level) / 2))


def _below(value: float, freedom: float) -> float:
    """The share of it that lies below a value."""
    from scipy import special

    return float(special.stdtr(freedom, value))


def _shift(freedom: float, critical: float) -> float:
    """How far it has to be moved to lie beyond a critical value as often as `POWER` says."""
    from scipy import special

    return float(special.nctdtrinc(freedom, 1 - POWER, critical))


def holm(ps: Sequence[float | None], waiting: int = 0) -> list[float | None]:
    """p values of many tests, adjusted so that all answers at 5 % are right together 95 times in 100 (Holm 1979): the
    k-th smallest of n is multiplied by n - k + 1, and none is smaller than one before it. None is no test; so many more
    are still waited for."""
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    most = 0.0
    for rank, (p, place) in enumerate(order):
        adjusted[place] = most = max(most, min(1.0, (len(order) + waiting - rank) * p))
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
    detectable: float | None = Field(
        default=None, description="a difference that this comparison, among all of the job, finds 80 times in 100"
    )
    seeds_to_decide: int | None = Field(
        default=None,
        description="seeds of each side with which a difference as large as this one is found 80 times in 100, if it "
        f"is true; null if more than {MOST_SEEDS} are needed",
    )
    untold: str | None = Field(
        default=None, description="why a difference could not be told from chance, however large it were"
    )
    looked_at: int | None = Field(
        default=None, description="seeds of each side that this rests on, where more are added until it is decided"
    )


class Comparison(NamedTuple):
    """Two arms, seed by seed; None for a seed that failed."""

    ours: Sequence[float | None]
    theirs: Sequence[float | None]
    sign: int
    """-1 where less is better."""

    def first(self, count: int | None = None) -> tuple[list[float], list[float], int]:
        """The values of the first so many seeds, or of all."""
        ours, theirs = ([one for one in side[:count] if one is not None] for side in (self.ours, self.theirs))
        return ours, theirs, self.sign

    def has(self, count: int) -> bool:
        """Whether so many seeds of both have come to an end."""
        return min(len(self.ours), len(self.theirs)) >= count


def decided(comparisons: Sequence[Comparison], looks: Sequence[int] = ()) -> list[Decision]:
    """All comparisons of a job. With `looks`, they are looked at whenever there are so many seeds, each until it is
    decided; what is decided stays so.

    Every look spends an equal part of the error, and in each Holm's rule is over what is still undecided: before the
    first false answer all true hypotheses are among those, so that one comes in at most 5 of 100 jobs, however seeds
    were added.
    """
    if not looks:
        return _looked_at([one.first() for one in comparisons])
    found = [_waited_for(one.first()) for one in comparisons]
    for count in looks:
        waiting = [place for place, one in enumerate(found) if one.adjusted_answer == "undecided"]
        there = [place for place in waiting if comparisons[place].has(count)]
        seen = [comparisons[place].first(count) for place in there]
        for place, decision in zip(there, _looked_at(seen, len(looks), len(waiting) - len(there)), strict=True):
            found[place] = decision.model_copy(update={"looked_at": count})
    return found


_Values = tuple[Sequence[float], Sequence[float], int]


def _waited_for(values: _Values) -> Decision:
    """Of a comparison that has not come to its first look."""
    ours, theirs, _ = values
    value = difference(ours, theirs).value if ours and theirs else 0.0
    return Decision(difference=value, interval=None, answer="undecided", untold="not all of its seeds are there yet")


def _untold(ours: Sequence[float], theirs: Sequence[float]) -> str | None:
    """Why there is no test."""
    if min(len(ours), len(theirs)) < 2:
        return "one seed shows no spread"
    return None if _spreads(ours, theirs) else "no seed differs from another"


def _looked_at(comparisons: Sequence[_Values], looks: int = 1, waiting: int = 0) -> list[Decision]:
    """All of them at once, in one of so many looks."""
    found = [difference(ours, theirs, looks) for ours, theirs, _ in comparisons]
    adjusted = holm([one.p for one in found], waiting)
    tests = looks * (sum(one.p is not None for one in found) + waiting)
    powers = [power(ours, theirs, tests) for ours, theirs, _ in comparisons]
    return [
        Decision(
            difference=one.value,
            interval=one.interval,
            p=one.p,
            answer=supported(one.value, one.p, sign),
            adjusted_p=p,
            adjusted_answer=supported(one.value, p, sign),
            detectable=could.detectable if could else None,
            seeds_to_decide=could.seeds if could else None,
            untold=_untold(ours, theirs),
        )
        for one, p, could, (ours, theirs, sign) in zip(found, adjusted, powers, comparisons, strict=True)
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
