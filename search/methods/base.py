"""What a pruning method is: it says how much each channel matters. Sharing out a budget is not its business."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

from torch import Tensor

from espalier.models.config import ChannelGroup, ChannelMask
from espalier.models.document import Frozen
from espalier.models.network import Network
from espalier.search.recipe import FineTuning, Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.scores import Scores, top
from espalier.search.tasks.base import Batch, Task


@dataclass(frozen=True)
class Parent:
    """A trained dense network, and what it was trained on."""

    network: Network
    """With its values, and how its channels are coupled."""
    task: Task
    batches: Callable[[int], Iterator[Batch]]
    """So many training examples at a time, in a fixed order, prepared as for evaluation."""
    kept: Mapping[str, Tensor] = field(default_factory=dict)
    """What its training learned beside the weights, by the method that asked for it."""


OptionsT = TypeVar("OptionsT", bound=Frozen)


class PruningMethod(ABC, Generic[OptionsT]):
    """Scores the channels of a trained parent, and says under which regularizer that parent is trained.

    A new method is one file with one subclass, and one line in `METHODS`; only `score` must be written.
    """

    Options: ClassVar[type[Frozen]]
    """What can be set, with defaults: a closed pydantic model, published in the catalog."""

    grain: ClassVar[Literal["channel", "block", "weight"]] = "channel"
    """What it scores and cuts: channels; whole residual blocks; or single weights, which leaves a mask in a network of
    the same size."""
    finds_widths: ClassVar[bool] = True
    """Whether its scores of different groups can be compared, so that a budget finds how many channels each keeps
    (automatic, as the papers say). If not, widths are given: by ratios, or the same share of every group."""
    is_trained: ClassVar[bool] = True
    """Whether its parent is. If not, it is a network with fresh weights, of the seed that is trained from scratch."""
    reads_kept: ClassVar[bool] = False
    """Whether it ranks by what its parent's training learned beside the weights, which no other network has."""
    is_informed: ClassVar[bool] = True
    """Whether its scores depend on the network."""

    passes: ClassVar[int] = 1
    """Forward passes that an image is worth while it scores: three where it takes gradients."""
    made: int = 0
    """Images that it makes itself while it scores, and does not read."""
    fine_tuning: ClassVar[FineTuning] = FineTuning()
    """How inherited weights are trained on."""

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @classmethod
    def has_own_parent(cls) -> bool:
        """Whether its parent is trained in another way than the dense network."""
        return cls.prepare is not PruningMethod.prepare or cls.regularizer is not PruningMethod.regularizer

    @property
    def trained_as(self) -> Frozen:
        """The options that its parent's training depends on, the others as by default: methods that differ in no more
        than the others share their parents."""
        return self.options

    def ranked(self, network: Network) -> Sequence[ChannelGroup]:
        """The groups that `score` will name, of a network that may lie on the meta device.

        Raises SpecError if the method is of no use for this network.
        """
        return network.groups

    def prepare(self, network: Network) -> None:
        """Change the fresh weights of the parent before its training."""

    def regularizer(self, network: Network, recipe: Recipe, steps: int) -> Regularizer | None:  # noqa: ARG002
        """What the parent's training of so many steps must respect besides the data."""
        return None

    @abstractmethod
    def score(self, parent: Parent) -> Scores:
        """How much each channel of the ranked groups matters in the trained network. Leaves the network as it is."""

    def select(self, parent: Parent, scores: Scores, widths: Mapping[str, int]) -> ChannelMask:
        """Which channels stay, when so many may in each group: those with the highest scores."""
        return top(parent.network.groups, scores, widths)

    def repair(self, network: Network, parent: Parent, mask: ChannelMask) -> None:
        """Change the inherited weights of the cut network, to make up for the channels that are gone."""
