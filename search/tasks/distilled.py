"""A task that is learned from a teacher, too."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from espalier.models.config import ChannelConfig
from espalier.search.recipe import Distillation
from espalier.search.results import Metric, Metrics
from espalier.search.tasks.base import Batch, Task


class Distilled(Task):
    """Another task, whose loss is a teacher's in part. It is measured as ever."""

    def __init__(self, task: Task, teacher: nn.Module, how: Distillation) -> None:
        super().__init__(task.recipe)
        self.task, self.teacher, self.how = task, teacher.eval().requires_grad_(False), how
        self.primary, self.stops_by = task.primary, task.stops_by  # type: ignore[misc]

    @classmethod
    def reported(cls) -> tuple[Metric, ...]:
        """Nothing of its own: its task says what is measured."""
        return ()

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """(1 - weight) * the task's loss + weight * what tells the network from its teacher."""
        with torch.no_grad():
            target = self.teacher(batch.inputs)
        return self.task.taught(net, batch, target, self.how)

    def metrics(self, net: nn.Module, batches: Iterable[Batch]) -> Metrics:
        """The task's."""
        return self.task.metrics(net, batches)

    def sample(self, config: ChannelConfig, count: int, generator: torch.Generator | None = None) -> Batch:
        """The task's."""
        return self.task.sample(config, count, generator)
