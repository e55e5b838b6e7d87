"""SynFlow: synaptic flow without data (Tanaka et al. 2020, 2006.05467, algorithm 1), of whole channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from espalier.models.config import ChannelGroup, ChannelMask
from espalier.models.copies import with_tensors
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.models.surgery import silence
from espalier.models.tensors import named_tensors
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import filters_of, over_filters, written
from espalier.search.schedule import TRAINING
from espalier.search.scores import Scores


class SynFlowOptions(Frozen):
    """Options of SynFlow."""

    rounds: int = Field(
        default=100, strict=True, ge=1, le=10_000, description="in which channels go, as many in each; then scored anew"
    )


class SynFlow(PruningMethod[SynFlowOptions]):
    """Ranks channels of an untrained network by the flow through them, with absolute weights and an image of ones."""

    Options = SynFlowOptions
    is_trained = False
    passes = TRAINING

    def __init__(self, options: SynFlowOptions) -> None:
        super().__init__(options)
        self.made = options.rounds  # an image of ones in each

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that layers write to."""
        return written(network)

    def score(self, parent: Parent) -> Scores:
        """The round in which a channel goes, and between those of one round its flow. The last of a group never goes
        before all others have, or nothing would flow any more."""
        network, groups = parent.network, self.ranked(parent.network)
        net = _absolute(network.module)
        alive = {group.name: torch.ones(group.width, dtype=torch.bool) for group in network.groups}
        scores = {group.name: torch.zeros(group.width, dtype=torch.double) for group in groups}
        left = sum(group.width for group in groups)
        for number in range(self.options.rounds):
            flow = self._flow(network, silence(net, network.coupling, ChannelMask(alive)))
            share = left // (self.options.rounds - number)
            gone = _lowest(flow, alive, share)
            largest = max(float(values.max()) for values in flow.values())
            for name, values in flow.items():
                place = number + values / max(largest, 1e-300) * 0.999
                scores[name] = torch.where(gone[name], place, scores[name])
                alive[name] &= ~gone[name]
                scores[name] = torch.where(alive[name], place + 1, scores[name])  # if it is never reached
            left -= sum(int(one.sum()) for one in gone.values())
        return scores

    def _flow(self, network: Network, net: nn.Module) -> Scores:
        """Sum of weight x gradient over a channel's filters, of the sum of all outputs."""
        names = filters_of(network)
        parameters = [net.get_parameter(name) for name in names]
        image = torch.ones(1, *network.coupling.input, dtype=torch.double, device=parameters[0].device)
        total: Tensor = net(image).sum()
        found = torch.autograd.grad(total, parameters, allow_unused=True)
        flow = {
            name: parameter.detach() * (torch.zeros_like(parameter) if new is None else new)
            for name, parameter, new in zip(names, parameters, found, strict=True)
        }
        return over_filters(network, flow, lambda filters: filters.sum(1))


def _absolute(module: nn.Module) -> nn.Module:
    """A copy that computes in double precision with absolute values, in evaluation mode."""
    tensors = named_tensors(module)
    positive = {name: one.detach().double().abs() for name, one in tensors.items() if one.is_floating_point()}
    return with_tensors(module, positive).eval()


def _lowest(flow: Scores, alive: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """So many channels with the least flow, of those alive, but for the best of each group."""
    names = [*flow]
    values = []
    for name in names:
        own = flow[name].masked_fill(~alive[name], torch.inf)
        best = int(flow[name].masked_fill(~alive[name], -torch.inf).argmax())
        values.append(own.index_fill(0, torch.tensor([best]), torch.inf))
    everything = torch.cat(values)
    order = torch.sort(everything, stable=True).indices[:count]
    gone = torch.zeros(len(everything), dtype=torch.bool)
    gone[order[everything[order].isfinite()]] = True
    return dict(zip(names, gone.split([len(one) for one in values]), strict=True))
