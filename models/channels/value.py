"""What is known of a tensor while a network is traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Axis = list[int] | None
"""The labels of the indices of one dimension. None where no channels lie: that dimension is as long in every cut."""


class Value(NamedTuple):
    """Where channels lie in one tensor, and what a silenced network has there."""

    axes: tuple[Axis, ...]
    """One for each dimension."""
    reason: str = ""
    """Why all of it stays as it is, if something on the way to it was not understood."""
    zero: bool = False
    """Whether every element of a cut channel is zero in a network that is silenced."""
    source: str = ""
    """The parameter that this is, or that it was computed from, element by element."""
    scale: str = ""
    """The scale of the batch norm that this comes from."""

    @property
    def has_channels(self) -> bool:
        """Whether any lie in it."""
        return any(axis is not None for axis in self.axes)

    @property
    def labels(self) -> list[int]:
        """All of them, whatever dimension they lie in."""
        return [label for axis in self.axes if axis is not None for label in axis]

    def moved(self, axes: Sequence[Axis]) -> Value:
        """The same elements in other dimensions."""
        return self._replace(axes=tuple(axes), scale="")

    def remade(self, axes: Sequence[Axis]) -> Value:
        """Other elements, which are zero where these are: no weight's, and no batch norm's."""
        return self._replace(axes=tuple(axes), source="", scale="")
