"""Lottery tickets: which weights of a trained network win (Frankle & Carbin 2019, 1803.03635).

A round leaves of every layer, or of all together, a share of what the round before left; the smallest go. So after r
rounds at a rate of 0.2 there are 0.8^r of them, whatever was rounded on the way.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from espalier.models.config import ChannelMask
from espalier.models.copies import with_tensors
from espalier.models.network import Network
from espalier.models.surgery import silence
from espalier.models.weight_mask import WeightMask
from espalier.search.methods.channels import over_layers
from espalier.search.scores import top
from espalier.search.spec import TicketRates
from espalier.search.weights import by_count, by_counts, prunable_weights


def rates_of(network: Network, rates: TicketRates) -> dict[str, float]:
    """Share of each layer's weights that a round cuts; layers that are not cut are left out."""
    names = prunable_weights(network, rates.layers)
    output = rates.output_cut
    if output is None:
        output = rates.cut / 2 if rates.scope == "layer" else 0.0
    found = dict.fromkeys(names, rates.cut)
    for name in names:
        if rates.conv_cut is not None and network.module.get_parameter(name).dim() > 2:
            found[name] = rates.conv_cut
    if names[-1] == prunable_weights(network, "all")[-1]:
        found[names[-1]] = output
    return {name: rate for name, rate in found.items() if rate > 0}


def ticket_mask(parent: Network, rates: TicketRates, rounds: int) -> WeightMask:
    """What is left of a trained network after so many rounds, the last of which this is; its own mask, if it has one,
    is that of the rounds before."""
    if rates.grain == "channel":
        return without_channels(parent, _channels(parent, rates.cut, rounds))
    cut, before = rates_of(parent, rates), parent.weight_mask
    scores = {}
    for name in cut:
        values = parent.module.get_parameter(name).detach().double().abs().cpu()
        scores[name] = values if before is None else values.masked_fill(~before.kept[name], -1)
    if rates.scope == "layer":
        return by_counts(
            scores, {name: round(scores[name].numel() * (1 - rate) ** rounds) for name, rate in cut.items()}
        )
    total = sum(values.numel() for values in scores.values())
    return by_count(scores, round(total * (1 - rates.cut) ** rounds))


def _channels(parent: Network, cut: float, rounds: int) -> ChannelMask:
    """Whole channels, by the L1 norms of their filters; of all layers alike."""
    widths = {group.name: max(1, round(group.width * (1 - cut) ** rounds)) for group in parent.groups}
    norms = over_layers(parent, "out", lambda filters: filters.abs().sum(1))
    return top(parent.groups, norms, widths)


def random_mask(parent: Network, rates: TicketRates, rounds: int, draw: int, across: bool) -> WeightMask:
    """As many weights as the ticket of a round has, or channels, drawn at random: in each layer, or across all, where
    each keeps one at least."""
    if rates.grain == "channel":
        return without_channels(parent, ChannelMask(_drawn_as(_channels(parent, rates.cut, rounds).kept, draw, across)))
    return WeightMask(_drawn_as(ticket_mask(parent, rates, rounds).kept, draw, across))


def _drawn_as(kept: Mapping[str, Tensor], draw: int, across: bool) -> Mapping[str, Tensor]:
    generator = torch.Generator().manual_seed(draw)
    luck = {name: torch.rand(one.shape, generator=generator, dtype=torch.double) for name, one in kept.items()}
    counts = {name: int(one.sum()) for name, one in kept.items()}
    return (by_count(luck, sum(counts.values())) if across else by_counts(luck, counts)).kept


def without_channels(network: Network, mask: ChannelMask) -> WeightMask:
    """The mask over single weights that cuts whole channels: all that belongs to one that is not kept."""
    touched = {part.tensor for group in network.groups for part in group.slices}
    parameters = {name: one for name, one in network.module.named_parameters() if name in touched}
    ones = with_tensors(network.module, {name: torch.ones_like(one) for name, one in parameters.items()})
    silent: nn.Module = silence(ones, network.coupling, mask)
    return WeightMask({name: silent.get_parameter(name).detach().cpu() != 0 for name in parameters})
