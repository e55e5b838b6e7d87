"""Taylor importance (Molchanov et al. 2019, 1906.10771, equations 8 and 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from espalier.models.config import ChannelGroup, Slice
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.methods.base import Parent, PruningMethod
from espalier.search.methods.channels import rows, with_role
from espalier.search.schedule import TRAINING
from espalier.search.scores import Scores


class TaylorOptions(Frozen):
    """Options of Taylor importance."""

    of: Literal["scale", "weight"] = Field(
        default="scale",
        description="scale: what norms multiply channels by and add to them, as the paper advises; weight: filters",
    )
    batches: int = Field(default=32, strict=True, ge=1, le=10_000, description="over whose gradients it is averaged")
    batch_size: int = Field(default=32, strict=True, ge=1, le=10_000, description="training images in each")


class Taylor(PruningMethod[TaylorOptions]):
    """Ranks channels by how much the squared loss would change without them, to first order.

    A channel's importance is the square of the sum of gradient times value over what belongs to it, in the mean over
    batches. Without a norm on the way it is that of the channel's filters, whatever `of` says.
    """

    Options = TaylorOptions
    passes = TRAINING

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """Those that layers write to, or norms scale."""
        return [group for group in network.groups if self._parts(group)]

    def score(self, parent: Parent) -> Scores:
        """Mean over batches of (sum of gradient x value)^2, in evaluation mode, summed over layers."""
        network = parent.network
        parts = {group.name: (group.width, found) for group in network.groups if (found := self._parts(group))}
        names = [*{part.tensor for _, found in parts.values() for part in found}]
        parameters = {name: network.module.get_parameter(name) for name in names}
        totals = {name: torch.zeros(width, dtype=torch.double) for name, (width, _) in parts.items()}
        count = 0
        for gradients in islice(self._gradients(parent, parameters), self.options.batches):
            count += 1
            products = {name: (parameters[name].detach() * gradient).double() for name, gradient in gradients.items()}
            for name, (width, found) in parts.items():
                for layer in _layers(found):
                    change = torch.stack([rows(products[part.tensor], part, width).sum(1) for part in layer]).sum(0)
                    totals[name] += change.square().cpu()
        return {name: total / max(1, count) for name, total in totals.items()}

    def _gradients(self, parent: Parent, parameters: dict[str, torch.nn.Parameter]) -> Iterator[dict[str, Tensor]]:
        net = parent.network.module
        training = net.training
        net.eval()
        try:
            for batch in parent.batches(self.options.batch_size):
                found = torch.autograd.grad(parent.task.loss(net, batch), [*parameters.values()])
                yield dict(zip(parameters, found, strict=True))
        finally:
            net.train(training)

    def _parts(self, group: ChannelGroup) -> list[Slice]:
        """What of a group its importance is read from."""
        norms = {part.layer for part in group.slices if part.role == "scale"}
        if norms and self.options.of == "scale":
            return [part for part in group.slices if part.layer in norms and part.role in ("scale", "shift")]
        return [*with_role(group, "out")]


def _layers(parts: Sequence[Slice]) -> list[list[Slice]]:
    """The parts that lie in one layer, together."""
    found: dict[str, list[Slice]] = {}
    for part in parts:
        found.setdefault(part.layer, []).append(part)
    return [*found.values()]
