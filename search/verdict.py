"""Does automatic pruning beat a baseline? Means over seeds, a confidence interval, and no more than it supports."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from espalier.search.types import Budget, Candidate, Efficiency, Init, Result, Sample, Verdict

CONFIDENCE = 0.95
RESAMPLES = 2000
ENOUGH = 0.975
"""Share of the resamples in which both curves must reach the accuracy: with fewer, a tail would be missing."""
ONE_PARENT = "Intervals are over seeds of training; a method's widths come from one sparse training."


class Arm(NamedTuple):
    """What is compared: an origin (with its method) and how its weights began."""

    name: str
    """The method's name, or 'uniform', 'random', 'dense'."""
    init: Init


Outcomes = Sequence[tuple[Candidate, Result]]


def arm(candidate: Candidate) -> Arm:
    """The arm a candidate belongs to."""
    return Arm(candidate.method or candidate.origin.kind, candidate.init)


def sample(values: Sequence[float]) -> Sample:
    """Mean, sample standard deviation (null for one value) and n."""
    return Sample(
        mean=float(np.mean(values)), std=float(np.std(values, ddof=1)) if len(values) > 1 else None, n=len(values)
    )


def compare(outcomes: Outcomes) -> list[Verdict]:
    """One verdict for every method, init and baseline at every budget where both have results."""
    by_arm = _by_arm(outcomes)
    verdicts = []
    for method, baseline in _pairs(by_arm):
        for budget, values in by_arm[method].items():
            if budget is not None and budget in by_arm[baseline]:
                ours = [result.accuracy for _, result in values]
                theirs = [result.accuracy for _, result in by_arm[baseline][budget]]
                verdicts.append(_verdict(method, baseline, budget, ours, theirs))
    return verdicts


def _verdict(method: Arm, baseline: Arm, budget: Budget, ours: list[float], theirs: list[float]) -> Verdict:
    interval = difference_interval(ours, theirs)
    answer: Literal["better", "worse", "undecided"] = "undecided"
    if interval is not None and (interval[0] > 0 or interval[1] < 0):
        answer = "better" if interval[0] > 0 else "worse"
    return Verdict(
        method=method.name,
        against=baseline.name,
        metric=budget.metric,
        keep=budget.keep,
        init=method.init,
        automatic=sample(ours),
        baseline=sample(theirs),
        difference=float(np.mean(ours) - np.mean(theirs)),
        interval=interval,
        answer=answer,
    )


def difference_interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float] | None:
    """95 % confidence interval of mean(ours) - mean(theirs) by Welch's t test; None without spread to tell it from."""
    if min(len(ours), len(theirs)) < 2:
        return None
    if np.ptp(ours) == 0 and np.ptp(theirs) == 0:  # few test images, few seeds: equal by chance, not certain
        return None
    shares = [np.var(values, ddof=1) / len(values) for values in (ours, theirs)]
    freedom = sum(shares) ** 2 / sum(s**2 / (len(v) - 1) for s, v in zip(shares, (ours, theirs), strict=True))
    reach = special.stdtrit(freedom, (1 + CONFIDENCE) / 2) * math.sqrt(sum(shares))
    difference = np.mean(ours) - np.mean(theirs)
    return float(difference - reach), float(difference + reach)


def efficiency(outcomes: Outcomes, seed: int = 0) -> list[Efficiency]:
    """How many times cheaper a method is than a baseline at equal accuracy, on params and on MACs.

    Each arm's means over seeds, with the dense network's, make a curve of accuracy over log cost; the factor is read
    in the middle of the accuracies that both curves reach. The interval is the 2.5 to 97.5 percentile over resampled
    seeds (bootstrap). Null where the curves do not overlap; the interval also where resampled ones often do not.
    """
    by_arm = _by_arm(outcomes)
    metrics: tuple[Literal["params", "macs"], ...] = ("params", "macs")
    return [
        _efficiency(by_arm, method, baseline, metric, np.random.default_rng(seed))
        for (method, baseline), metric in itertools.product(_pairs(by_arm), metrics)
    ]


_Budgets = Mapping[Budget | None, Outcomes]
_Curve = list[tuple[float, float]]


def _efficiency(
    by_arm: Mapping[Arm, _Budgets],
    method: Arm,
    baseline: Arm,
    metric: Literal["params", "macs"],
    generator: np.random.Generator,
) -> Efficiency:
    arms = (method, baseline, Arm("dense", "scratch"))
    cells = [_numbers(by_arm.get(name, {}), metric) for name in arms]
    ours, theirs, dense = ([_mean_point(cell) for cell in some] for some in cells)
    point = _factor(ours + dense, theirs + dense)
    factors = []
    if point is not None and any(len(cell) > 1 for some in cells for cell in some):
        drawn = zip(*(_resampled(some, generator) for some in cells), strict=True)  # the dense network drawn once
        found = [_factor(a + both, b + both, at=point[1]) for a, b, both in drawn]
        factors = [one[0] for one in found if one is not None]
    low_high = np.percentile(factors, [2.5, 97.5]) if len(factors) >= ENOUGH * RESAMPLES else None
    return Efficiency(
        method=method.name,
        against=baseline.name,
        metric=metric,
        init=method.init,
        factor=point[0] if point else None,
        interval=(float(low_high[0]), float(low_high[1])) if low_high is not None else None,
        at_accuracy=point[1] if point else None,
    )


def _numbers(budgets: _Budgets, metric: Literal["params", "macs"]) -> list[np.ndarray]:
    """For each budget an array [seed, 2] of log cost and accuracy."""
    return [
        np.array([(math.log(getattr(result.cost, metric)), result.accuracy) for _, result in cell])
        for cell in budgets.values()
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


def _by_arm(outcomes: Outcomes) -> dict[Arm, dict[Budget | None, list[tuple[Candidate, Result]]]]:
    """Results by arm and budget. A method's sparsely trained parent is no point of any arm."""
    found: dict[Arm, dict[Budget | None, list[tuple[Candidate, Result]]]] = {}
    for candidate, result in outcomes:
        if candidate.origin.kind != "dense" or candidate.method is None:
            found.setdefault(arm(candidate), {}).setdefault(candidate.budget, []).append((candidate, result))
    return found


def _pairs(arms: Iterable[Arm]) -> list[tuple[Arm, Arm]]:
    """Every method against every baseline."""
    names = list(arms)
    return [
        (method, baseline)
        for method in names
        for baseline in names
        if method.name not in ("uniform", "random", "dense") and baseline.name in ("uniform", "random")
    ]


def summary(verdicts: Sequence[Verdict]) -> str:
    """One plain sentence for each method and baseline, or why there is none."""
    if not verdicts:
        return "There is no verdict: no budget has results of both a method and a baseline."
    sentences = []
    for key in dict.fromkeys((v.method, v.init, v.against) for v in verdicts):
        chosen = [v for v in verdicts if (v.method, v.init, v.against) == key]
        sentences.append(_sentence(*key, chosen))
    return " ".join([*sentences, ONE_PARENT])


def _sentence(method: str, init: Init, against: str, verdicts: Sequence[Verdict]) -> str:
    name = method if init == "scratch" else f"{method} with inherited weights"
    parts = []
    for answer, words in (
        ("better", f"is better than {against}"),
        ("worse", f"is worse than {against}"),
        ("undecided", f"shows no difference to {against} that the interval supports"),
    ):
        chosen = [v for v in verdicts if v.answer == answer]
        if chosen:
            budgets = ", ".join(f"{v.metric} {v.keep:g} ({100 * v.difference:+.1f} points)" for v in chosen)
            parts.append(f"{words} at {budgets}")
    return f"{name} {'; '.join(parts)}."
