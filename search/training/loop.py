"""The one training loop. Deterministic by seed; knows neither what is learned nor from what."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from espalier.search.datasets.base import Data, Split
from espalier.search.errors import Diverged
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.results import CurvePoint, Execution, Metrics, Ran, Reported
from espalier.search.schedule import learning_rate, steps_per_epoch
from espalier.search.tasks.base import Batch, Task
from espalier.search.training.augment import takes_small
from espalier.search.training.batches import plain_batches, training_batches
from espalier.search.training.checkpoint import Progress, Trainee, restore, save
from espalier.search.training.precision import autocast, place

EVALUATION_BATCH = 500
CHECKPOINT_SHARE = 0.02
"""Share of the time that may go into checkpoints; a small network has one after every epoch."""
LOSS = "loss"
"""What the mean training loss of an epoch is called in a curve."""
NO_SMALL = "small images were skipped: the network takes one size only"


Report = Callable[[Reported], None]


@dataclass(frozen=True)
class Trained:
    """What a run of training showed; the network itself was trained in place."""

    curve: tuple[CurvePoint, ...]
    ran: Ran
    seconds: float

    @property
    def holdout(self) -> Metrics:
        """The task's metrics on the hold-out, after the last epoch."""
        return {name: value for name, value in self.curve[-1].metrics.items() if name != LOSS}


def train(
    net: nn.Module,
    task: Task,
    data: Data,
    recipe: Recipe,
    seed: int,
    regularizer: Regularizer | None = None,
    report: Report | None = None,
    execution: Execution | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    """Train `net` in place and return its learning curve.

    The same seed gives the same numbers on the same machine. With `checkpoint`, the state is written there every so
    often, and a run that finds the file goes on from it to exactly the same end. Raises Diverged.
    """
    run = _Run(net, task, data, recipe, seed, regularizer or Regularizer(), execution or Execution())
    curve, spent = restore(checkpoint, run.trainee)
    started = saved = time.monotonic()
    cost = 0.0
    for epoch in range(len(curve), recipe.epochs):
        loss = run.epoch(epoch)
        metrics = {LOSS: loss} | measure(net, task, data, "holdout", run.execution)
        curve.append(CurvePoint(step=(epoch + 1) * run.batches, epoch=epoch, metrics=metrics))
        if report:
            report(Reported(curve[-1], recipe.epochs, task.primary.name))
        before = time.monotonic()
        if checkpoint and cost <= CHECKPOINT_SHARE * (before - saved):
            save(checkpoint, run.trainee, Progress(curve, spent + before - started))
            saved = time.monotonic()
            cost = saved - before
    return Trained(tuple(curve), run.ran, spent + time.monotonic() - started)


class _Run:
    """One training under way."""

    def __init__(
        self,
        net: nn.Module,
        task: Task,
        data: Data,
        recipe: Recipe,
        seed: int,
        regularizer: Regularizer,
        execution: Execution,
    ) -> None:
        self.net = place(net, execution)
        self.task, self.data, self.recipe, self.seed = task, data, recipe, seed
        self.regularizer, self.execution = regularizer, execution
        self.batches = steps_per_epoch(recipe, len(data.train))
        wanted = int(recipe.small_first * recipe.epochs)
        self.small_epochs = wanted if wanted and takes_small(net, data.shape) else 0
        self.notes = (NO_SMALL,) if wanted > self.small_epochs else ()
        self.optimizer = torch.optim.SGD(
            net.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
            fused=True,
        )

    @property
    def trainee(self) -> Trainee:
        """What a checkpoint holds."""
        return Trainee(self.net, self.optimizer, self.regularizer)

    @property
    def ran(self) -> Ran:
        """What is really done."""
        epochs = self.recipe.epochs
        return Ran(epochs=epochs, steps=epochs * self.batches, small_epochs=self.small_epochs, notes=self.notes)

    def epoch(self, epoch: int) -> float:
        """One pass over the data; the mean loss of its steps."""
        self.net.train()
        generator = np.random.default_rng([self.seed, epoch])  # so that a resumed run draws the same
        torch.manual_seed(int(generator.integers(2**62)))  # dropout
        total = torch.zeros((), device=self.execution.device)
        small = epoch < self.small_epochs
        batches = training_batches(self.data, self.recipe, generator, self.execution, small)
        for index, batch in enumerate(batches):
            total += self._step(batch, epoch * self.batches + index)
        self.regularizer.after_epoch(self.net)
        loss = float(total) / self.batches
        if not math.isfinite(loss):
            raise Diverged(epoch, loss)
        return loss

    def _step(self, batch: Batch, step: int) -> Tensor:
        lr = learning_rate(self.recipe, step, self.recipe.epochs * self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.execution):
            loss = self.task.loss(self.net, batch)
        loss.backward()
        self.regularizer.before_step(self.net)
        self.optimizer.step()
        self.regularizer.after_step(self.net, lr)
        return loss.detach()


def measure(net: nn.Module, task: Task, data: Data, split: Split, execution: Execution) -> Metrics:
    """The task's metrics of a network on a split, in evaluation mode."""
    net.eval()
    with torch.inference_mode(), autocast(execution):
        return task.metrics(net, plain_batches(data, split, EVALUATION_BATCH, execution))
