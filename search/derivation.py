"""From a dense network and trained parents to the network a candidate starts from: the ways that arms choose among."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from espalier.models.blocks import BlockMask, leave_out, without_blocks
from espalier.models.config import ChannelConfig, ChannelMask
from espalier.models.network import Network, thinned
from espalier.models.weight_mask import WeightMask
from espalier.search import allocate, methods
from espalier.search.blocks import allocate_blocks
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.recalibration import recalibrate
from espalier.search.scores import Scores, controlled, drawn, top
from espalier.search.spec import Budget, Kernel, MethodSpec, Ranking, Ratios, TicketRates
from espalier.search.tickets import random_mask, ticket_mask, without_channels
from espalier.search.weights import (
    allocate_weights,
    of_weights,
    spread,
    usual_weights,
)

UNTRAINED = "untrained"
REDRAWN = 2**31
"""Added to a seed where other fresh weights than its own are wanted: seeds are smaller, and generators read 32 bits."""
Mask = ChannelMask | BlockMask | WeightMask


class Start(NamedTuple):
    """Where training begins. What the network's own mask leaves out stays zero."""

    network: Network
    method: PruningMethod[Any] | None = None
    """What training must respect besides the data."""
    read_by: int | None = None
    """Multiply-adds for each image that was read to derive it, if not those of the whole network."""


def _loosened(budget: Budget | Ratios, share: float) -> Budget | Ratios:
    """A budget after this share of the way to it, in equal factors."""
    if isinstance(budget, Budget):
        return budget.model_copy(update={"keep": budget.keep**share})
    return budget.model_copy(update={"ratios": {name: keep**share for name, keep in budget.ratios.items()}})


def _at_stages(stages: Sequence[int], known: NDArray[np.float64]) -> dict[int, NDArray[np.float64]]:
    """What is known of other stages [stages, numbers], at these, by relative depth."""
    own = sorted(set(stages))
    places, given = ([(place + 0.5) / count for place in range(count)] for count in (len(own), len(known)))
    found = np.stack([np.interp(places, given, numbers) for numbers in known.T], 1)
    return dict(zip(own, found, strict=True))


class Derivation:
    """What one candidate's network is derived from."""

    def __init__(
        self,
        dense: Network,
        seed: int,
        minimum_keep: float,
        parent: Callable[[str], Parent],
        scores: Callable[[MethodSpec, str], Scores],
        config: Callable[[str], ChannelConfig],
    ) -> None:
        self.dense = dense
        self.seed = seed
        self.minimum_keep = minimum_keep
        self.parent = parent
        """Role -> the trained network that is needed in it; `UNTRAINED`: the whole one with the seed's own weights."""
        self.scores = scores
        """(method, role) -> its scores on that network; computed once for all candidates."""
        self.config = config
        """Role -> the architecture of the trained network that is needed in it, which may be narrower than the dense
        one."""

    def fresh(self, mask: Mask | None = None) -> Start:
        """Fresh weights, in the whole network or in what a mask keeps; single weights are the wider, the fewer stay."""
        if isinstance(mask, WeightMask):
            network = self.dense.fresh(self.seed)
            spread(network, mask)
            return Start(network.masked(mask))
        return Start(Network.of(self._config(mask)).fresh(self.seed))

    def _config(self, mask: ChannelMask | BlockMask | None) -> ChannelConfig:
        if mask is None:
            return self.dense.config
        return without_blocks(self.dense, mask) if isinstance(mask, BlockMask) else thinned(self.dense, mask)

    def alike(self, role: str) -> Start:
        """Fresh weights in the architecture of the network in a role; other ones than it began with."""
        return Start(Network.of(self.config(role)).fresh(self.seed + REDRAWN))

    def scaled(self, role: str, budget: Budget | Ratios) -> Start:
        """Fresh weights; groups are thinned in proportion to what the network in a role keeps, until the budget is
        met."""
        widths = self.config(role).widths
        return self.by_rates([widths[group.name] / group.width for group in self.dense.groups], budget, self.seed)

    def wide(self, widths: Mapping[str, int]) -> Start:
        """Fresh weights in these widths."""
        return self.fresh(drawn(self.dense.groups, widths, self.seed))

    def recalibrated(self, widths: Mapping[str, int]) -> Start:
        """The parent's weights in these widths, of the filters with the largest L1 norms; batch norm's statistics are
        taken anew (Li et al. 2020, EagleEye, adaptive batch normalization)."""
        parent = self.parent("parent")
        mask = top(self.dense.groups, self.scores(MethodSpec(name="l1_norm"), "parent"), widths)
        network = parent.network.prune(mask)
        recalibrate(network.module, parent.batches)
        return Start(network, read_by=network.cost.macs)

    def sparse(self, spec: MethodSpec) -> Start:
        """Fresh weights in the whole network, prepared and regularized as a method wants its parent."""
        method, network = methods.create(spec), self.dense.fresh(self.seed)
        method.prepare(network)
        return Start(network, method)

    def narrowed(self, spec: MethodSpec, passed: int, budgets: Sequence[Budget | Ratios]) -> Start:
        """The parent of a later pass: the one before, less the channels that it ranks lowest, trained on as the method
        wants it (Liu et al. 2017, multi-pass). Every pass goes the same part of the way to the budgets, so that none
        of them needs a channel that is gone."""
        method, scores = methods.create(spec), self.scores(spec, "parent")
        found = [self._widths(method, scores, _loosened(budget, passed / spec.passes)) for budget in budgets]
        widths = {group.name: max(one[group.name] for one in found) for group in self.dense.groups}
        mask = method.select(self.parent("parent"), scores, widths)
        start = self.rewound(without_channels(self.parent("parent").network, mask), "parent")
        return start._replace(method=method)

    def by_rates(self, rates: Sequence[float], budget: Budget | Ratios, draw: int = 0) -> Start:
        """Fresh weights; groups are thinned in proportion to their rates until the budget is met. Where channels are
        selected from a stream, `draw` says which."""
        return self._in_order(allocate.by_rates(self.dense.groups, rates, self.minimum_keep), budget, draw)

    def by_stages(self, keep: Sequence[float], budget: Budget | Ratios) -> Start:
        """Fresh weights; groups are thinned in proportion to their stage's share. Where there are more or fewer shares
        than stages, they lie at equal distances between the first stage and the last."""
        shares = _at_stages([group.stage for group in self.dense.groups], np.array(keep)[:, None])
        return self.by_rates([float(shares[group.stage][0]) for group in self.dense.groups], budget)

    def capped(self, budget: Budget | Ratios) -> Start:
        """Fresh weights; the widest groups are thinned to one number of channels."""
        return self._in_order(allocate.capped(self.dense.groups, self.minimum_keep), budget)

    def _in_order(self, order: allocate.Order, budget: Budget | Ratios, draw: int = 0) -> Start:
        coupling, keep = self.dense.coupling, self.minimum_keep
        cost = allocate.as_cost(budget, coupling, keep)
        return self.fresh(drawn(coupling.groups, allocate.allocate(order, coupling, cost, keep), draw))

    def by_drawn_weights(self, budget: Budget | Ratios) -> Start:
        """Fresh weights, single ones of which are drawn until the budget is met."""
        names, generator = usual_weights(self.dense), torch.Generator().manual_seed(self.seed)
        draws = of_weights(self.dense, names, lambda weight: torch.rand(weight.shape, generator=generator).double())
        return self.fresh(allocate_weights(self.dense, draws, budget))

    def by_kernels(self, kernels: Sequence[Kernel], budget: Budget | Ratios) -> Start:
        """Fresh weights, single ones of which are drawn until the budget is met: each place of a 3x3 kernel as often as
        its stage's kernel says, in proportion, and weights of other kernels as often as those in the mean. The kernels
        are those of the stages that have 3x3 ones, other stages follow the nearest; other numbers are read as in
        `by_stages`."""
        generator, stages = torch.Generator().manual_seed(self.seed), self.dense.coupling.stages
        layers = {name: stages[name.rpartition(".")[0]] for name in usual_weights(self.dense)}
        shapes = {name: self.dense.module.get_parameter(name).shape for name in layers}
        square = [stage for name, stage in layers.items() if tuple(shapes[name][2:]) == (3, 3)]
        chances = _at_stages(square or [*layers.values()], np.array(kernels, dtype=float).reshape(len(kernels), 9))
        scores = {}
        for name, stage in layers.items():
            shape, nearest = shapes[name], min(chances, key=lambda known: abs(known - stage))
            chance = torch.from_numpy(chances[nearest])
            own = chance.view(3, 3) if tuple(shape[2:]) == (3, 3) else chance.mean()
            # a weight stays that draws less than a multiple of its chance: the same multiple for all
            scores[name] = own / (1 - torch.rand(shape, generator=generator, dtype=torch.double))
        return self.fresh(allocate_weights(self.dense, scores, budget))

    def ranked(self, spec: MethodSpec, budget: Budget | Ratios, control: Ranking | None = None) -> Mask:
        """What a method keeps of a parent, for a budget; by its own ranking, or what a control makes of it."""
        method = methods.create(spec)
        role = "parent" if method.is_trained else UNTRAINED
        scores = controlled(self.scores(spec, role), control, self.seed)
        if method.grain == "weight":
            return allocate_weights(self.dense, scores, budget)
        if method.grain == "block":
            return allocate_blocks(self.dense, scores, budget)
        widths = self._widths(method, scores, budget)
        if control in (None, "no_penalty"):
            return method.select(self.parent(role), scores, widths)
        return top(self.dense.groups, scores, widths)  # a method that looks again would not see other scores

    def _widths(self, method: PruningMethod[Any], scores: Scores, budget: Budget | Ratios) -> dict[str, int]:
        groups, coupling, keep = self.dense.groups, self.dense.coupling, self.minimum_keep
        if isinstance(budget, Ratios):
            return allocate.by_ratios(groups, budget, keep)
        order = allocate.by_scores(groups, scores, keep) if method.finds_widths else allocate.uniform(groups, keep)
        return allocate.allocate(order, coupling, budget, keep)

    def ticket(self, rates: TicketRates, rounds: int) -> WeightMask:
        """What is left of the parent after so many rounds, if this is the last of them."""
        return ticket_mask(self.parent("parent").network, rates, rounds)

    def random_ticket(self, rates: TicketRates, rounds: int, across: bool) -> WeightMask:
        """One that keeps as many weights or channels, drawn by the seed."""
        return random_mask(self.parent("parent").network, rates, rounds, self.seed, across)

    def rewound(self, mask: WeightMask, role: str | None) -> Start:
        """A mask over the weights that the seed's training began with, or over those of the network in a role."""
        network = self.dense.fresh(self.seed) if role is None else self.parent(role).network
        return Start(network.masked(mask))

    def redrawn(self, mask: WeightMask) -> Start:
        """A mask over other fresh weights than the seed's."""
        return Start(self.dense.fresh(self.seed + REDRAWN).masked(mask))

    def inherited(self, spec: MethodSpec, mask: Mask) -> Start:
        """The parent's weights in what a mask keeps, repaired as the method knows how."""
        parent = self.parent("parent")
        if isinstance(mask, WeightMask):
            return Start(parent.network.masked(mask))
        if isinstance(mask, BlockMask):
            return Start(leave_out(parent.network, mask))
        network = parent.network.prune(mask)
        methods.create(spec).repair(network, parent, mask)
        return Start(network)
