"""Labels of channels: which must live or die together, and which indices of which tensors each of them owns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from espalier.models.tensors import named_tensors
from numpy.typing import NDArray
from torch import Tensor, nn

BATCH = 127
"""Inputs of the symbolic run: a prime, so that numbers which it divides are numbers of something for every input."""


class NotUnderstood(Exception):
    """An operation, or its use here, that is not on the list."""


class Labels:
    """Union-find over channel labels; a label may be frozen, with the reason."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._reason: dict[int, str] = {}

    def new(self, count: int) -> list[int]:
        """So many labels that nothing has in common yet."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return list(range(start, start + count))

    def find(self, label: int) -> int:
        """The one label that stands for all it was merged with."""
        root = label
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[label] != root:
            self._parent[label], label = root, self._parent[label]
        return root

    def merge(self, one: list[int], other: list[int]) -> None:
        """Couple labels pairwise."""
        parent = self._parent
        for a, b in zip(one, other, strict=True):
            low = a if parent[a] == a else self.find(a)  # most stand for themselves
            high = b if parent[b] == b else self.find(b)
            if low == high:
                continue
            if low > high:
                low, high = high, low
            parent[high] = low
            if high in self._reason:
                self._reason.setdefault(low, self._reason.pop(high))

    def roots(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """For every label, the one that stands for it, and whether that one is frozen."""
        roots = np.asarray(self._parent, dtype=np.int64)
        while not np.array_equal(further := roots[roots], roots):
            roots = further
        frozen = np.zeros(len(roots), dtype=bool)
        frozen[list(self._reason)] = True
        return roots, frozen[roots]

    def freeze(self, labels: list[int], reason: str) -> None:
        """Keep these channels dense; the first reason counts."""
        for label in labels:
            self._reason.setdefault(self.find(label), reason)

    def reason(self, label: int) -> str | None:
        """Why a channel stays dense, if it must."""
        return self._reason.get(self.find(label))


class Channels(NamedTuple):
    """The channels of one activation: the dimension they lie in, and the label of each.

    An activation behind something that is not understood is opaque: one frozen label stands for all of it, whatever
    its dimensions are.
    """

    dim: int | None
    labels: list[int]

    @property
    def opaque(self) -> bool:
        """Whether nothing is known but that all of it stays."""
        return self.dim is None

    def along(self, dim: int, value: Tensor, use: str) -> list[int]:
        """The labels along a dimension. Raises NotUnderstood, saying which use, if the channels lie in another one."""
        if self.dim is None:
            return self.labels * value.shape[dim]
        if self.dim != dim % value.dim():
            raise NotUnderstood(f"{use} works along a dimension that is not the channels")
        return self.labels


class Ledger:
    """What operations write down about the tensors of a network."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.labels = Labels()
        self.owned: dict[tuple[str, int], list[int]] = {}
        """(tensor, dimension) -> label of each index."""
        self.uses: dict[str, int] = {}
        """Weight -> multiply-adds per element, for one input."""
        self.positions: dict[str, int] = {}
        """Layer -> positions (pixels, tokens) at which it works."""
        self.selections: dict[str, str | None] = {}
        """Index buffer of a channel selection -> the scale of the batch norm it reads from."""
        # A module reached under two names is one set of tensors; the state dict's first name counts.
        self._name = {id(tensor): name for name, tensor in named_tensors(net).items()}
        self._spoiled: dict[str, str] = {}  # tensor -> why it belongs to no group

    def name(self, tensor: Tensor) -> str:
        """The name of a parameter or buffer. Raises NotUnderstood for any other tensor."""
        if id(tensor) not in self._name:
            raise NotUnderstood("a tensor that is neither parameter nor buffer")
        return self._name[id(tensor)]

    def own(self, tensor: Tensor | None, dim: int, labels: list[int]) -> None:
        """Say that index i of this dimension of a tensor belongs to labels[i]."""
        if tensor is None:
            return
        key = (self.name(tensor), dim)
        if key[0] in self._spoiled:
            self.labels.freeze(labels, self._spoiled[key[0]])
        if key in self.owned:
            self.labels.merge(self.owned[key], labels)  # the layer is used twice
        else:
            self.owned[key] = labels

    def spoil(self, tensors: Iterable[Tensor], reason: str) -> None:
        """Tensors whose use is not understood belong to no group, even if another use of them is understood."""
        names = {self._name[id(tensor)] for tensor in tensors if id(tensor) in self._name}
        self._spoiled |= dict.fromkeys(names, reason)
        for (tensor, _), labels in self.owned.items():
            if tensor in names:
                self.labels.freeze(labels, reason)

    def count(self, layer: str, weight: Tensor, output: Tensor, features: int) -> None:
        """Note what applying a weight once costs, and at how many positions it works."""
        name, positions = self.name(weight), output.numel() // features
        if positions % BATCH == 0:  # what depends on no input is computed once
            positions //= BATCH
        self.uses[name] = self.uses.get(name, 0) + positions
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
