"""What a task is: what a network is trained for, and how good it is at that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from espalier.models.config import ChannelConfig
from espalier.search.errors import SpecError
from espalier.search.recipe import Distillation, Recipe
from espalier.search.results import Metric, Metrics


class Batch(NamedTuple):
    """Some examples: what goes in [batch, …], and what should come out."""

    inputs: Tensor
    targets: Tensor

    def to(self, device: str) -> Batch:
        """The same on another device."""
        return Batch(self.inputs.to(device), self.targets.to(device))


class Task(ABC):
    """Loss and metrics. A new one is one file with one subclass, and one line in `TASKS`."""

    primary: ClassVar[Metric]
    """What networks are chosen by and compared by."""
    stops_by: ClassVar[Metric]
    """What says on the hold-out where a training would best have stopped: its loss."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    @classmethod
    @abstractmethod
    def reported(cls) -> tuple[Metric, ...]:
        """Everything that `metrics` measures, the primary one first."""

    @abstractmethod
    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """What training makes smaller: one number."""

    def taught(self, net: nn.Module, batch: Batch, target: Tensor, how: Distillation) -> Tensor:  # noqa: ARG002
        """The loss of a network that learns from what its teacher gives for the batch, too. Raises SpecError if the
        task knows no such loss."""
        raise SpecError(f"{type(self).__name__.lower()} cannot be distilled; leave 'distilled' out of inits")

    @abstractmethod
    def metrics(self, net: nn.Module, batches: Iterable[Batch]) -> Metrics:
        """How good the network is, over all batches. It is in evaluation mode, and no gradient is wanted."""

    @abstractmethod
    def sample(self, config: ChannelConfig, count: int, generator: torch.Generator | None = None) -> Batch:
        """So many random examples of the right shapes, to time a training step by."""
