"""Sharing out a budget: how many channels each group gets.

Everything is one ranking of all channels and one cut through it. Automatic pruning ranks by scores, uniform and random
widths by a channel's place in its group; so the budget is met the same way in all three, by rank and count and never
by a threshold. The first channels of each group, up to its minimum width, stand outside the ranking and always stay.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from espalier.models.config import ChannelGroup, minimum_width
from espalier.models.tracing.coupling import Coupling
from espalier.search.errors import SpecError
from espalier.search.scores import Scores
from espalier.search.spec import Budget, Ratios

Order = NDArray[np.int64]
"""Group index of each channel beyond the minimum widths, the most important channel first."""


def minimum_widths(groups: Sequence[ChannelGroup], keep: float) -> NDArray[np.int64]:
    """Channels of each group that always stay."""
    return np.array([minimum_width(group.width, keep) for group in groups], dtype=np.int64)


def by_scores(groups: Sequence[ChannelGroup], scores: Scores, keep: float) -> Order:
    """One ranking across all groups, the highest score first; equal scores are shared out evenly.

    Groups without scores stand before all others, and so are cut last.
    """
    unnamed = {group.name: torch.full((group.width,), math.inf) for group in groups if group.name not in scores}
    values = [np.sort({**scores, **unnamed}[group.name].double().numpy())[::-1] for group in groups]
    return _ranked(groups, values, keep)


def by_rates(groups: Sequence[ChannelGroup], rates: Sequence[float], keep: float) -> Order:
    """Every group is thinned by its own share: its channels come in at its rate. Equal rates are uniform widths."""
    return _ranked(groups, [-_places(group) / rate for group, rate in zip(groups, rates, strict=True)], keep)


def uniform(groups: Sequence[ChannelGroup], keep: float) -> Order:
    """Every group is thinned by the same share."""
    return by_rates(groups, [1.0] * len(groups), keep)


def capped(groups: Sequence[ChannelGroup], keep: float) -> Order:
    """No group keeps more channels than another that has more left to give: one cap for the whole network."""
    return _ranked(groups, [-np.arange(group.width, dtype=np.float64) for group in groups], keep)


def _places(group: ChannelGroup) -> NDArray[np.float64]:
    """The share of its group that is kept once a channel is, to the middle of the channel."""
    return (np.arange(group.width) + 0.5) / group.width


def _ranked(groups: Sequence[ChannelGroup], values: Sequence[NDArray[np.float64]], keep: float) -> Order:
    least = minimum_widths(groups, keep)
    owner = np.concatenate([np.full(g.width - n, i) for i, (g, n) in enumerate(zip(groups, least, strict=True))])
    value = np.concatenate([v[n:] for v, n in zip(values, least, strict=True)])
    place = np.concatenate([_places(g)[n:] for g, n in zip(groups, least, strict=True)])
    return owner[np.lexsort((owner, place, -value))].astype(np.int64)


def allocate(order: Order, coupling: Coupling, budget: Budget, keep: float) -> dict[str, int]:
    """Widths for a budget: the longest part of the ranking, from its start, that the budget has room for.

    Never above the budget, and the next channel would be; a smaller budget's widths are never larger. Raises SpecError
    if even the minimum widths cost too much, with the least budget that works.
    """
    names = [group.name for group in coupling.groups]
    least = minimum_widths(coupling.groups, keep)

    def widths(count: int) -> dict[str, int]:
        return dict(zip(names, (least + np.bincount(order[:count], minlength=len(names))).tolist(), strict=True))

    dense = _measure(coupling, widths(len(order)), budget)
    room = budget.keep * dense * (1 + 1e-12)  # 0.1 * 30 is 3.0000000000000004, and must not be 3 - 1
    if _measure(coupling, widths(0), budget) > room:
        possible = _measure(coupling, widths(0), budget) / dense
        raise SpecError(
            f"no widths keep {budget.keep:g} of the {budget.metric}: with at least {keep:g} of each group's channels "
            f"the network keeps {math.ceil(possible * 1e4) / 1e4:g}; ask for that or more, or lower minimum_keep"
        )
    return widths(longest(len(order), lambda count: _measure(coupling, widths(count), budget), room))


def longest(most: int, cost: Callable[[int], float], room: float) -> int:
    """How many of a ranking, from its start, there is room for; none of them costs no more than that."""
    return bisect_right(range(most + 1), room, key=cost) - 1


def by_ratios(groups: Sequence[ChannelGroup], ratios: Ratios, keep: float) -> dict[str, int]:
    """Widths given beforehand: a share of each named group or stage, rounded down as the papers do, never below the
    minimum width. Raises SpecError for a group or stage that is not there."""
    place = {group.name: group.name if ratios.by == "group" else str(group.stage) for group in groups}
    if unknown := sorted(set(ratios.ratios) - set(place.values())):
        there = ", ".join(dict.fromkeys(place.values()))
        raise SpecError(f"no {ratios.by} {', '.join(map(repr, unknown))}; there are: {there}")
    shares = {group.name: ratios.ratios.get(place[group.name], 1.0) for group in groups}
    return {
        group.name: max(minimum_width(group.width, keep), int(group.width * shares[group.name] + 1e-9))
        for group in groups
    }


def as_cost(budget: Budget | Ratios, coupling: Coupling, keep: float) -> Budget:
    """The budget that a baseline must meet: itself, or what the network of those ratios costs."""
    if isinstance(budget, Budget):
        return budget
    widths = by_ratios(coupling.groups, budget, keep)
    costs = (int(getattr(coupling.cost(some), budget.metric)) for some in (widths, coupling.widths))
    return Budget(metric=budget.metric, keep=next(costs) / next(costs))


def _measure(coupling: Coupling, widths: Mapping[str, int], budget: Budget) -> int:
    if budget.metric == "channels":
        return sum(widths.values())
    return int(getattr(coupling.cost(widths), budget.metric))
