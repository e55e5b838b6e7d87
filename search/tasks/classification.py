"""Classification: one number for each class, the largest is the answer."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from espalier.models.config import ChannelConfig
from espalier.search.recipe import Distillation
from espalier.search.results import ACCURACY, Metric, Metrics
from espalier.search.tasks.base import Batch, Task
from espalier.search.tasks.metrics import METRICS


class Classification(Task):
    """Which of several classes an image shows: cross entropy, accuracy."""

    primary = ACCURACY
    stops_by = METRICS["cross_entropy"].metric

    @classmethod
    def reported(cls) -> tuple[Metric, ...]:
        """Those in `METRICS`."""
        return tuple(one.metric for one in METRICS.values())

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """Cross entropy, with the recipe's label smoothing."""
        return self._cross_entropy(net(batch.inputs), batch)

    def taught(self, net: nn.Module, batch: Batch, target: Tensor, how: Distillation) -> Tensor:
        """Cross entropy and the teacher's softened classes (Hinton et al. 2015, section 2)."""
        logits = net(batch.inputs)
        ours, theirs = ((one / how.temperature).log_softmax(1) for one in (logits, target))
        difference = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        return (1 - how.weight) * self._cross_entropy(logits, batch) + how.weight * how.temperature**2 * difference

    def _cross_entropy(self, logits: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(logits, batch.targets, label_smoothing=self.recipe.label_smoothing)

    def metrics(self, net: nn.Module, batches: Iterable[Batch]) -> Metrics:
        """Means over all examples."""
        totals, count = dict.fromkeys(METRICS, 0.0), 0
        for batch in batches:
            logits = net(batch.inputs)
            for name, one in METRICS.items():
                totals[name] += float(one.of_each(logits, batch.targets).double().sum())
            count += len(batch.targets)
        return {name: total / count for name, total in totals.items()}

    def sample(self, config: ChannelConfig, count: int, generator: torch.Generator | None = None) -> Batch:
        """Normal noise, and the classes in turn."""
        return Batch(torch.randn(count, *config.shape, generator=generator), torch.arange(count) % config.classes)
