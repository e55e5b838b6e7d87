"""The channel graph: what operations write down about the tensors of a network while it is traced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from espalier.models.channels.labels import Labels, NotUnderstood
from espalier.models.config import Role
from espalier.models.tensors import named_tensors

BATCH = 127
"""Inputs of the symbolic run: a prime, so that numbers which it divides are numbers of something for every input."""


class ChannelGraph:
    """What operations write down about the tensors of a network."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
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
        # A module reached under two names is one set of tensors; the state dict's first name counts.
        self._name = {id(tensor): name for name, tensor in named_tensors(net).items()}
        self._excluded: dict[str, str] = {}  # tensor -> why it belongs to no group

    def name(self, tensor: Tensor) -> str:
        """The name of a parameter or buffer. Raises NotUnderstood for any other tensor."""
        if id(tensor) not in self._name:
            raise NotUnderstood("a tensor that is neither parameter nor buffer")
        return self._name[id(tensor)]

    def assign(self, tensor: Tensor | None, dim: int, labels: list[int], role: Role) -> None:
        """Say that index i of this dimension of a tensor belongs to labels[i], and what it is to its layer."""
        if tensor is None:
            return
        key = (self.name(tensor), dim)
        if key[0] in self._excluded:
            self.labels.keep(labels, self._excluded[key[0]])
        if key in self.labels_of:
            self.labels.merge(self.labels_of[key], labels)  # the layer is used twice
        else:
            self.labels_of[key], self.roles[key] = labels, role

    def exclude(self, tensors: Iterable[Tensor], reason: str) -> None:
        """Tensors whose use is not understood belong to no group, even if another use of them is understood."""
        names = {self._name[id(tensor)] for tensor in tensors if id(tensor) in self._name}
        self._excluded |= dict.fromkeys(names, reason)
        for (tensor, _), labels in self.labels_of.items():
            if tensor in names:
                self.labels.keep(labels, reason)

    def scale_of(self, layer: nn.Module) -> str | None:
        """The tensor that scales the channels of a normalising layer, if the layer has one."""
        names = (self._name[id(tensor)] for tensor in layer.parameters(recurse=False))
        return next((name for name in names if self.roles.get((name, 0)) == "scale"), None)

    def count(self, layer: str, weight: Tensor, output: Tensor, features: int) -> None:
        """Note what applying a weight once costs, and at how many positions it works."""
        name, positions = self.name(weight), output.numel() // features
        if positions % BATCH == 0:  # what depends on no input is computed once
            positions //= BATCH
        self.macs_per_weight[name] = self.macs_per_weight.get(name, 0) + positions
        self.positions.setdefault(layer, positions)

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
