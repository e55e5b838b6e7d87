"""What tracing finds: the channel groups of a network, and what every width of them costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from espalier.models.config import ChannelGroup, Cost, Role, Shape


class KeptLayer(NamedTuple):
    """A layer whose output channels stay dense, and why."""

    layer: str
    reason: str


class Number(NamedTuple):
    """A number that a module of somebody's own keeps, and that follows the widths of groups."""

    module: str
    name: str
    place: int | None
    """In a tuple or list; None for a number by itself."""
    constant: int
    groups: tuple[tuple[str, int], ...]
    """How many times the width of which group it is, besides the constant."""

    def at(self, widths: Mapping[str, int]) -> int:
        """The number, when groups have these widths."""
        return self.constant + sum(times * widths[group] for group, times in self.groups)


@dataclass(frozen=True)
class Coupling:
    """What tracing found: the groups, and enough about the tensors to know every width's cost."""

    input: Shape
    """What the network was traced with: channels, height, width."""
    output: tuple[int, ...]
    """The shape of what it gives for one input."""
    groups: tuple[ChannelGroup, ...]
    kept: tuple[KeptLayer, ...]
    shapes: Mapping[str, tuple[int, ...]]
    """Parameter, or fixed weight -> dense shape."""
    roles: Mapping[tuple[str, int], Role]
    """(tensor, dimension) -> what it is to its layer, for all that tracing understood, whether it can be cut or not."""
    stages: Mapping[str, int]
    """Layer -> stage: layers that work at one resolution, from 0."""
    macs_per_weight: Mapping[str, int]
    """Weight of a convolution or linear layer -> multiply-adds per element, for one input."""
    fixed: frozenset[str]
    """Weights that are no parameters, such as the kernel of a blur: they multiply, but are not learned."""
    numbers: tuple[Number, ...]
    """What modules of somebody's own keep that follows the widths."""
    activation_macs: int
    """Multiply-adds for one input that belong to no such weight: products of activations, as in attention, and whatever
    else is not understood. No width changes them."""
    _parts: Mapping[str, tuple[tuple[int, tuple[tuple[str, int], ...]], ...]] = field(repr=False)
    """Parameter -> for each dimension: indices in no group, and (group, repeat) of those that are."""

    @property
    def widths(self) -> dict[str, int]:
        """The dense width of every group."""
        return {group.name: group.width for group in self.groups}

    def numbers_at(self, widths: Mapping[str, int]) -> dict[tuple[str, str, int | None], int]:
        """(module, attribute, place in it) -> number, when groups have these widths."""
        return {(number.module, number.name, number.place): number.at(widths) for number in self.numbers}

    def shape(self, tensor: str, widths: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of a parameter when groups have these widths."""
        return tuple(
            rest + sum(repeat * widths[group] for group, repeat in parts) for rest, parts in self._parts[tensor]
        )

    def cost(self, widths: Mapping[str, int]) -> Cost:
        """Parameters and multiply-adds of the network with these widths. Allocates nothing."""
        params, macs = 0, self.activation_macs
        for tensor in self.shapes:
            size = math.prod(self.shape(tensor, widths))
            params += size if tensor not in self.fixed else 0
            macs += size * self.macs_per_weight.get(tensor, 0)
        return Cost(params, macs)

    def prunable(self) -> tuple[float, float]:
        """Shares of parameters and of multiply-adds that lie on at least one prunable channel, each in [0, 1]."""
        dense = self.cost(self.widths)
        kept = {tensor: self.kept_part(tensor) for tensor in self.shapes}
        macs = self.activation_macs + sum(size * self.macs_per_weight.get(tensor, 0) for tensor, size in kept.items())
        params = sum(size for tensor, size in kept.items() if tensor not in self.fixed)
        return (
            1 - params / dense.params if dense.params else 0.0,
            1 - macs / dense.macs if dense.macs else 0.0,
        )

    def with_role(self, role: Role) -> tuple[str, ...]:
        """The tensors that are this to their layers."""
        return tuple(tensor for (tensor, _), found in self.roles.items() if found == role)

    def kept_part(self, tensor: str) -> int:
        """Elements of a parameter that no group touches."""
        return math.prod(rest for rest, _ in self._parts[tensor])
