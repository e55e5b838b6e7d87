"""How probable it is that a point is truly on the front, by what its seeds showed. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from espalier.search.answers.statistics import ROUNDING

DRAWS = 400
"""Of everybody's means: a share of them is known to within 5 hundredths."""


def front_probabilities(costs: Sequence[float], samples: Sequence[Sequence[float]]) -> list[float] | None:
    """Of each point, from its cost and from how good it is by seed; None if nothing is known to spread.

    True means are drawn around those that were seen, with one variance for all, since each has few seeds of its own;
    how well that is known is drawn, too. A draw's front is by the same rule as the front's: what a point that costs no
    more is better than, or what is dearer than one as good, is not on it.
    """
    counts = np.array([len(values) for values in samples])
    freedom = int(counts.sum() - len(counts))
    squares = sum(float(np.var(values)) * len(values) for values in samples)
    if freedom < 1 or squares <= ROUNDING**2:
        return None
    generator = np.random.default_rng(0)
    deviations = np.sqrt(squares / generator.chisquare(freedom, (DRAWS, 1)))
    means = np.array([np.mean(values) for values in samples])
    drawn = means + deviations / np.sqrt(counts) * generator.standard_normal((DRAWS, len(counts)))
    order = np.argsort(costs, kind="stable")
    found = np.empty(len(counts))
    found[order] = are_on_front(np.asarray(costs, dtype=float)[order], drawn[:, order]).mean(axis=0)
    return [float(one) for one in found]


def are_on_front(costs: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Whether each point [draws, points] is on its draw's front; costs [points] do not fall."""
    starts = np.flatnonzero(np.diff(costs, prepend=-np.inf))
    place = np.searchsorted(starts, np.arange(len(costs)), side="right") - 1
    best = np.maximum.reduceat(drawn, starts, axis=1)  # of each cost
    before = np.maximum.accumulate(best, axis=1)
    cheaper = np.concatenate([np.full((len(drawn), 1), -np.inf), before[:, :-1]], axis=1)
    return np.asarray((drawn >= best[:, place]) & (drawn > cheaper[:, place]))
