"""Which residual blocks stay for a budget. By rank and count, as channels."""

from __future__ import annotations

import math

from espalier.models.blocks import BlockMask, branches, without_blocks
from espalier.models.network import Network
from espalier.search.allocate import longest
from espalier.search.errors import SpecError
from espalier.search.scores import Scores
from espalier.search.spec import Budget, Ratios


def allocate_blocks(network: Network, scores: Scores, budget: Budget | Ratios) -> BlockMask:
    """The mask that keeps as many of the highest scores as the budget has room for: never above it, and one block more
    would be. Equal scores go from the last. Raises SpecError as `check_blocks` does."""
    check_blocks(network, budget)
    assert isinstance(budget, Budget)
    order = sorted(scores, key=lambda block: -float(scores[block]))
    return _first(order, longest(len(order), lambda count: _share(network, _first(order, count), budget), budget.keep))


def check_blocks(network: Network, budget: Budget | Ratios) -> None:
    """Raise SpecError, with the least that works, unless leaving out blocks can meet a budget."""
    if isinstance(budget, Ratios) or budget.metric == "channels":
        raise SpecError(f"whole blocks meet budgets of params or macs, and not {budget}, which is about channels")
    least = _share(network, _first([branch.block for branch in branches(network)], 0), budget)
    if least > budget.keep:
        raise SpecError(
            f"no choice of blocks keeps {budget.keep:g} of the {budget.metric}: without any of them, the network keeps "
            f"{math.ceil(least * 1e4) / 1e4:g}; ask for that or more"
        )


def _first(order: list[str], count: int) -> BlockMask:
    return BlockMask({block: place < count for place, block in enumerate(order)})


def _share(network: Network, mask: BlockMask, budget: Budget) -> float:
    """What a mask leaves of a network's cost."""
    costs = (float(getattr(one.cost, budget.metric)) for one in (Network.of(without_blocks(network, mask)), network))
    return next(costs) / next(costs)
