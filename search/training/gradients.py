"""A batch's loss and gradients. On a GPU they are recorded once as a CUDA graph and then replayed.

A GPU is otherwise told of every kernel one by one, and a small network's kernels take less time than that.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from espalier.search.results import Execution
from espalier.search.tasks.base import Batch, Task
from espalier.search.training.precision import autocast

WARM_UP = 3
"""Steps before a recording, in which libraries set themselves up."""


@dataclass(frozen=True)
class _Recording:
    """What a replay reads and writes."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    loss: Tensor
    gradients: Sequence[Tensor | None]


class Gradients:
    """Computes the gradients of what is learned, into `.grad`, anew for each batch.

    A forward pass that asks the GPU for a number, which no recording can hold, or that draws by other generators than
    the GPU's, is computed step by step. One that is recorded must do the same in every step.
    """

    def __init__(self, net: nn.Module, task: Task, execution: Execution, beside: Sequence[Tensor] = ()) -> None:
        self.net, self.task, self.execution = net, task, execution
        self.learned = [*net.parameters(), *beside]
        self.records = torch.device(execution.device).type == "cuda"
        """Whether it tries to."""
        self._seen: Counter[torch.Size] = Counter()
        self._recordings: dict[torch.Size, _Recording] = {}

    @property
    def is_recorded(self) -> bool:
        """Whether steps are replayed."""
        return bool(self._recordings)

    def __call__(self, batch: Batch) -> Tensor:
        """The loss of a batch, detached."""
        if not self.records:
            return self._computed(batch)
        shape = batch.inputs.shape
        if shape not in self._recordings:
            if self._seen[shape] < WARM_UP:
                self._seen[shape] += 1
                return self._watched(batch)
            self._recordings[shape] = self._recorded(batch)
        return self._replayed(self._recordings[shape], batch)

    def _computed(self, batch: Batch) -> Tensor:
        for tensor in self.learned:
            tensor.grad = None
        with autocast(self.execution):
            loss = self.task.loss(self.net, batch)
        loss.backward()
        return loss.detach()

    def _watched(self, batch: Batch) -> Tensor:
        """Beside the main stream, as recordings are; and whether anything is done that a replay would not do. A
        recording that fails cannot be tried: it leaves the GPU's generator unusable."""
        stream, before = torch.cuda.Stream(), _drawn()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                loss = self._computed(batch)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        torch.cuda.current_stream().wait_stream(stream)
        waits = any("synchronizing CUDA operation" in str(one.message) for one in told)
        is_last = self._seen[batch.inputs.shape] == WARM_UP  # before, libraries set themselves up
        self.records = before == _drawn() and not (waits and is_last)
        return loss

    def _recorded(self, batch: Batch) -> _Recording:
        own = Batch(batch.inputs.clone(), batch.targets.clone())
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            loss = self._computed(own)
        return _Recording(graph, own, loss, [tensor.grad for tensor in self.learned])

    def _replayed(self, recording: _Recording, batch: Batch) -> Tensor:
        recording.batch.inputs.copy_(batch.inputs)
        recording.batch.targets.copy_(batch.targets)
        recording.graph.replay()
        for tensor, gradient in zip(self.learned, recording.gradients, strict=True):
            tensor.grad = gradient
        return recording.loss


def _drawn() -> tuple[object, ...]:
    """Where the generators are that a recording does not know."""
    return random.getstate(), np.random.get_state(legacy=False)["state"]["pos"], torch.get_rng_state().numpy().tobytes()
