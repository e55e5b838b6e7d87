"""Whether a proxy ranks networks as their full training does. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from espalier.models.document import content_hash
from espalier.search.answers.values import Outcomes, ProxyAnswer
from espalier.search.arms.trial import Trial
from espalier.search.spec import Budget, Ratios

POOR = 0.5
"""Rank correlation below which a proxy is not to be trusted."""
FEWEST = 3
"""Networks that can be ranked."""


def proxies(outcomes: Outcomes) -> list[ProxyAnswer]:
    """One for every proxy that a sampler judged by and every budget."""
    judged: dict[str, dict[str, dict[int, float]]] = {}
    for candidate, result in outcomes:
        if isinstance(origin := candidate.origin, Trial):
            by_widths = judged.setdefault(origin.proxy, {})
            value = result.metric.sign * result.chosen_by
            by_widths.setdefault(content_hash(origin.widths), {})[candidate.seed] = value
    return [answer for proxy, known in judged.items() for answer in _answers(proxy, known, outcomes)]


def _answers(proxy: str, known: Mapping[str, Mapping[int, float]], outcomes: Outcomes) -> Iterator[ProxyAnswer]:
    budgets: dict[str, Budget | Ratios] = {}
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for candidate, result in outcomes:
        budget, trained = candidate.budget, candidate.init == "scratch" and candidate.recipe.match == "epochs"
        values = known.get(content_hash(result.widths), {})
        if budget is None or candidate.arm.role == "parent" or not trained or result.mask or not values:
            continue
        place = content_hash(budget)
        budgets[place] = budget
        value = values.get(candidate.seed, fmean(values.values()))  # seeds may share one parent
        pair = (value, result.metric.sign * result.reported)
        found.setdefault(place, {}).setdefault(candidate.seed, []).append(pair)
    for place, by_seed in found.items():
        ranks = [one for pairs in by_seed.values() if (one := _spearman(pairs)) is not None]
        yield ProxyAnswer(
            proxy=proxy,
            budget=budgets[place],
            networks=sum(map(len, by_seed.values())),
            rank_correlation=fmean(ranks) if ranks else None,
        )


def _spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    first, second = (_ranks(values) for values in zip(*pairs, strict=True))
    if len(pairs) < FEWEST or min(np.ptp(first), np.ptp(second)) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """From the least; equal values share theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return shared


def told(answers: Sequence[ProxyAnswer]) -> Iterator[str]:
    """What is to be said of proxies, and where they must not be trusted."""
    for one in answers:
        among = f"{one.networks} networks at {one.budget}"
        if one.rank_correlation is None:
            yield f"Whether {one.proxy} ranks networks as full training does cannot be told from {among}."
        else:
            poor = ", too little to choose by" if one.rank_correlation < POOR else ""
            how = f"a correlation of {one.rank_correlation:.2f} with that by full training"
            yield f"Over {among}, the ranking by {one.proxy} has {how}{poor}."
