"""Sharing out a budget: how many channels each group gets.

Everything is one ranking of all channels and one cut through it. Automatic pruning ranks by scores, uniform and random
widths by a channel's place in its group; so the budget is met the same way in all three, by rank and count and never
by a threshold. The first channels of each group, up to its floor, stand outside the ranking and always stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from espalier.models.config import ChannelGroup, ChannelMask, minimum_width
from espalier.models.tracing.coupling import Coupling
from espalier.search.errors import SpecError
from espalier.search.methods.base import Scores
from espalier.search.types import Budget

Order = NDArray[np.int64]
"""Group index of each channel outside the floors, the most important channel first."""


def floors(groups: Sequence[ChannelGroup], share: float) -> NDArray[np.int64]:
    """Channels of each group that always stay."""
    return np.array([minimum_width(group.width, share) for group in groups], dtype=np.int64)


def by_scores(groups: Sequence[ChannelGroup], scores: Scores, floor: float) -> Order:
    """One ranking across all groups, the highest score first; equal scores are shared out evenly.

    Groups without scores stand before all others, and so are cut last.
    """
    unnamed = {group.name: torch.full((group.width,), math.inf) for group in groups if group.name not in scores}
    values = [np.sort({**scores, **unnamed}[group.name].double().numpy())[::-1] for group in groups]
    return _ranked(groups, values, floor)


def uniform(groups: Sequence[ChannelGroup], floor: float) -> Order:
    """Every group is thinned by the same share."""
    return _ranked(groups, [-_places(group) for group in groups], floor)


def random(groups: Sequence[ChannelGroup], floor: float, draw: int) -> Order:
    """Every group is thinned by a share of its own: its channels come in at a rate drawn from U(0.1, 1)."""
    rates = np.random.default_rng(draw).uniform(0.1, 1.0, len(groups))
    return _ranked(groups, [-_places(group) / rate for group, rate in zip(groups, rates, strict=True)], floor)


def _places(group: ChannelGroup) -> NDArray[np.float64]:
    """The share of its group that is kept once a channel is, to the middle of the channel."""
    return (np.arange(group.width) + 0.5) / group.width


def _ranked(groups: Sequence[ChannelGroup], values: Sequence[NDArray[np.float64]], floor: float) -> Order:
    least = floors(groups, floor)
    owner = np.concatenate([np.full(g.width - n, i) for i, (g, n) in enumerate(zip(groups, least, strict=True))])
    value = np.concatenate([v[n:] for v, n in zip(values, least, strict=True)])
    place = np.concatenate([_places(g)[n:] for g, n in zip(groups, least, strict=True)])
    return owner[np.lexsort((owner, place, -value))].astype(np.int64)


def allocate(order: Order, coupling: Coupling, budget: Budget, floor: float) -> dict[str, int]:
    """Widths for a budget: the longest part of the ranking, from its start, that the budget has room for.

    Never above the budget, and the next channel would be; a smaller budget's widths are never larger. Raises SpecError
    if even the floors cost too much, with the least budget that works.
    """
    names = [group.name for group in coupling.groups]
    least = floors(coupling.groups, floor)

    def widths(count: int) -> dict[str, int]:
        return dict(zip(names, (least + np.bincount(order[:count], minlength=len(names))).tolist(), strict=True))

    dense = _measure(coupling, widths(len(order)), budget)
    room = budget.keep * dense * (1 + 1e-12)  # 0.1 * 30 is 3.0000000000000004, and must not be 3 - 1
    if _measure(coupling, widths(0), budget) > room:
        possible = _measure(coupling, widths(0), budget) / dense
        raise SpecError(
            f"no widths keep {budget.keep:g} of the {budget.metric}: with at least {floor:g} of each group's channels "
            f"the network keeps {math.ceil(possible * 1e4) / 1e4:g}; ask for that or more, or lower the floor"
        )
    low, high = 0, len(order)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _measure(coupling, widths(middle), budget) <= room else (low, middle - 1)
    return widths(low)


def _measure(coupling: Coupling, widths: Mapping[str, int], budget: Budget) -> int:
    if budget.metric == "channels":
        return sum(widths.values())
    return int(getattr(coupling.cost(widths), budget.metric))


def top(groups: Sequence[ChannelGroup], scores: Scores, widths: Mapping[str, int]) -> ChannelMask:
    """The mask that keeps, in each group, as many of the highest scores as its width; ties go to the first.

    Where there are no scores, any channels are kept.
    """
    kept, anyhow = {}, torch.Generator().manual_seed(0)
    for group in groups:
        values = scores[group.name] if group.name in scores else torch.rand(group.width, generator=anyhow)
        mask = torch.zeros(group.width, dtype=torch.bool)
        mask[torch.sort(values, descending=True, stable=True).indices[: widths[group.name]]] = True
        kept[group.name] = mask
    return ChannelMask(kept)


def drawn(groups: Sequence[ChannelGroup], widths: Mapping[str, int], draw: int) -> ChannelMask:
    """A mask of these widths for networks without scores: any channels, drawn group by group.

    Which ones makes a difference only where groups select from a stream that others read, too. Were it the first ones
    everywhere, nobody would read the rest, and the baseline would be handicapped.
    """
    generator = torch.Generator().manual_seed(draw)
    return top(groups, {group.name: torch.rand(group.width, generator=generator) for group in groups}, widths)
