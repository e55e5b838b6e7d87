"""What a pruning method is: it says how much each channel matters. Sharing out a budget is not its business."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from espalier.models.config import ChannelGroup
from espalier.models.document import Frozen
from espalier.search.types import Recipe

Scores = Mapping[str, Tensor]
"""Group name -> importance of each channel [width], finite, larger is more important, comparable across groups.

A group that is not named is cut last, when nothing else is left to cut."""

OptionsT = TypeVar("OptionsT", bound=Frozen)


class PruningMethod(ABC, Generic[OptionsT]):
    """Scores the channels of a trained parent. It is also the regularizer under which that parent is trained.

    A new method is one file with one subclass, and one line in `METHODS`; only `score` must be written.
    """

    Options: ClassVar[type[Frozen]]
    """What can be set, with defaults: a closed pydantic model, published in the catalog."""

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    def ranked(self, net: nn.Module, groups: Sequence[ChannelGroup]) -> Sequence[ChannelGroup]:  # noqa: ARG002
        """The groups that `score` will name, of a network that may lie on the meta device.

        Raises SpecError if the method is of no use for this network.
        """
        return groups

    def prepare(self, net: nn.Module, recipe: Recipe, steps: int) -> None:
        """Change the fresh network before its sparse training of so many steps, and get ready for it."""

    def penalty(self, net: nn.Module) -> None:
        """Add to the gradients, before every step of the sparse training."""

    def project(self, net: nn.Module, lr: float) -> None:
        """Change the weights, after every step of the sparse training."""

    @abstractmethod
    def score(self, net: nn.Module, groups: Sequence[ChannelGroup]) -> Scores:
        """How much each channel of the ranked groups matters in the trained network. Leaves the network as it is."""
