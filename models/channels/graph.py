"""The channel graph: what operations write down about the tensors of a network while it is traced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from espalier.models.channels.labels import Labels
from espalier.models.config import ChannelGroup, Role
from espalier.models.tensors import named_tensors

BATCH = 127
"""Inputs of the traced run: a prime, so that numbers which it divides are numbers of something for every input."""


class ChannelGraph:
    """What operations write down about the tensors of a network."""

    def __init__(self, net: nn.Module) -> None:
        self.labels = Labels()
        self.labels_of: dict[tuple[str, int], list[int]] = {}
        """(tensor, dimension) -> label of each index."""
        self.roles: dict[tuple[str, int], Role] = {}
        """(tensor, dimension) -> what it is to its layer."""
        self.macs_per_weight: dict[str, int] = {}
        """Weight -> multiply-adds per element, for one input."""
        self.positions: dict[str, int] = {}
        """Layer -> positions (pixels, tokens) at which it works."""
        self.unknown: dict[str, str] = {}
        """Layer that is not understood -> why, where it has weights."""
        self.selections: dict[str, str | None] = {}
        """Index buffer of a channel selection -> the scale of the batch norm it reads from."""
        self.kernels: set[str] = set()
        """Weights of convolutions, whose channels lie in the first two dimensions alone."""
        self.tensors = named_tensors(net)
        """By name; a module reached under two is one set of tensors, and the state dict's first name counts."""
        self._name = {id(tensor): name for name, tensor in self.tensors.items()}
        self._excluded: dict[str, str] = {}  # tensor -> why it belongs to no group

    def name(self, tensor: Tensor) -> str:
        """The name of a parameter or buffer; empty for any other tensor."""
        return self._name.get(id(tensor), "")

    def axis(self, tensor: str, dim: int) -> list[int]:
        """The label of each index of this dimension of a parameter or buffer, which may be its first use."""
        if (tensor, dim) not in self.labels_of:
            self.assign(tensor, dim, self.labels.new(self.tensors[tensor].shape[dim]), "other")
        return self.labels_of[tensor, dim]

    def labels_in(self, group: ChannelGroup) -> list[int]:
        """The labels of a group's channels, as they lie in the first tensor that it has a part of."""
        first = group.slices[0]
        return self.labels_of[first.tensor, first.dim][first.start :][: group.width * first.repeat]

    def assign(self, tensor: str, dim: int, labels: list[int], role: Role) -> None:
        """Say that index i of this dimension of a tensor belongs to labels[i], and what it is to its layer."""
        key = (tensor, dim)
        if tensor in self._excluded:
            self.labels.keep(labels, self._excluded[tensor])
        if key in self.labels_of:
            if self.labels_of[key] is not labels:
                self.labels.merge(self.labels_of[key], labels)  # the tensor is used twice
            if self.roles[key] == "other":
                self.roles[key] = role
        else:
            self.labels_of[key], self.roles[key] = labels, role

    def exclude(self, tensors: Iterable[str], reason: str) -> None:
        """Tensors whose use is not understood belong to no group, even if another use of them is understood."""
        names = {*tensors}
        self._excluded |= dict.fromkeys(names, reason)
        for (tensor, _), labels in self.labels_of.items():
            if tensor in names:
                self.labels.keep(labels, reason)

    def direct(self, tensor: str, dim: int) -> None:
        """Say that what lies along this dimension only gives directions, whose lengths are another tensor's."""
        self.roles[tensor, dim] = "direction"

    def reason(self, tensor: str) -> str:
        """Why a tensor belongs to no group; empty if nothing stands against it."""
        return self._excluded.get(tensor, "")

    def count(self, weight: str, positions: int) -> None:
        """Note at how many positions a weight works, for all inputs together."""
        if positions % BATCH == 0:  # what depends on no input is computed once
            positions //= BATCH
        self.macs_per_weight[weight] = self.macs_per_weight.get(weight, 0) + positions
        self.positions.setdefault(weight.rpartition(".")[0] or weight, positions)

    def stages(self) -> Mapping[str, int]:
        """Layer -> stage: layers that work at one resolution, numbered in the order in which they come.

        A layer between larger ones (squeeze-excitation) belongs to the stage of what follows it.
        """
        largest, effective = 0, {}
        for layer, positions in reversed(self.positions.items()):
            largest = max(largest, positions)
            effective[layer] = largest
        order = {positions: stage for stage, positions in enumerate(dict.fromkeys(reversed(effective.values())))}
        return {layer: order[positions] for layer, positions in effective.items()}


class Owned(NamedTuple):
    """The channels along one dimension of a parameter or buffer, as something that is counted."""

    graph: ChannelGraph
    tensor: str
    dim: int

    def __call__(self) -> list[int]:
        """The labels."""
        return self.graph.axis(self.tensor, self.dim)
