"""What belongs to each channel of a group: the rows of its tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from espalier.models.config import ChannelGroup, Role, Slice
from espalier.models.network import Network
from espalier.search.scores import Scores

Across = Literal["mean", "max", "sum", "first"]
"""How the scores that a channel has in several layers become one."""


def merged(scores: Sequence[Tensor], across: Across = "mean") -> Tensor:
    """One score of each channel [width], from those in the layers that it passes, in the order of the forward pass."""
    if across == "first":
        return scores[0]
    stacked = torch.stack([*scores])
    if across == "max":
        return stacked.amax(0)
    return stacked.sum(0) if across == "sum" else stacked.mean(0)


def rows(tensor: Tensor, part: Slice, width: int) -> Tensor:
    """What a tensor has of each channel, [width, elements]."""
    return tensor.movedim(part.dim, 0)[part.start :][: width * part.repeat].reshape(width, -1)


def with_role(group: ChannelGroup, role: Role) -> Iterator[Slice]:
    """The slices of a group that are this to their layers."""
    return (part for part in group.slices if part.role == role)


def written(network: Network) -> Sequence[ChannelGroup]:
    """The groups that layers write to."""
    return [group for group in network.groups if any(True for _ in with_role(group, "out"))]


def filters_of(network: Network) -> list[str]:
    """The tensors that write to them, each once."""
    return [*dict.fromkeys(part.tensor for group in network.groups for part in with_role(group, "out"))]


def over_layers(network: Network, role: Role, score: Callable[[Tensor], Tensor]) -> Scores:
    """Each channel's mean score over the tensors of its group that are this to their layers: `score` makes [width] of
    [width, elements]. A residual stream has a filter for a channel in each layer that writes to it."""
    tensors = {part.tensor for group in network.groups for part in with_role(group, role)}
    return over_filters(network, {name: network.module.get_parameter(name) for name in tensors}, score, role)


def over_filters(
    network: Network, tensors: Mapping[str, Tensor], score: Callable[[Tensor], Tensor], role: Role = "out"
) -> Scores:
    """The same of other numbers in the place of these tensors' own. One at a time in double precision."""
    found: dict[str, list[Tensor]] = {}
    for group in network.groups:
        for part in with_role(group, role):
            own = rows(tensors[part.tensor].detach(), part, group.width).double()
            found.setdefault(group.name, []).append(score(own))
    return {name: merged(scores).cpu() for name, scores in found.items()}
