"""Labels of channels: which must live or die together, and which must stay."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class NotUnderstood(Exception):
    """An operation, or its use here, that is not on the list."""


class Labels:
    """Union-find over channel labels; a label may be kept dense, with the reason."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._reason: dict[int, str] = {}

    def blocks(self, labels: list[int], count: int) -> list[int]:
        """Couple so many equal blocks of labels with one another, place by place; the labels of the first."""
        if count == 1:
            return labels
        size = len(labels) // count
        for start in range(size, len(labels), size):
            self.merge(labels[:size], labels[start : start + size])
        return labels[:size]

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
            low, high = parent[a], parent[b]
            low = low if parent[low] == low else self.find(a)  # most stand for themselves, or lie next to what does
            high = high if parent[high] == high else self.find(b)
            if low == high:
                continue
            if low > high:
                low, high = high, low
            parent[high] = low
            if high in self._reason:
                self._reason.setdefault(low, self._reason.pop(high))

    def roots(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """For every label, the one that stands for it, and whether that one is kept dense."""
        roots = np.asarray(self._parent, dtype=np.int64)
        while not np.array_equal(further := roots[roots], roots):
            roots = further
        kept = np.zeros(len(roots), dtype=bool)
        kept[list(self._reason)] = True
        return roots, kept[roots]

    def keep(self, labels: Iterable[int], reason: str) -> None:
        """Keep these channels dense; the first reason counts."""
        for label in labels:
            self._reason.setdefault(self.find(label), reason)

    def reason(self, label: int) -> str | None:
        """Why a channel stays dense, if it must."""
        return self._reason.get(self.find(label))
