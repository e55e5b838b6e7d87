"""The one training loop. Deterministic by seed; knows neither what is learned nor from what."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from espalier.search.datasets.base import Data, Split
from espalier.search.errors import Diverged
from espalier.search.recipe import Recipe
from espalier.search.regularizer import Regularizer
from espalier.search.results import CurvePoint, EarlyStop, Execution, Metrics, Ran, Reported
from espalier.search.schedule import learning_rate, steps_per_epoch
from espalier.search.tasks.base import Batch, Task
from espalier.search.training.augment import takes_small
from espalier.search.training.batches import plain_batches, training_batches
from espalier.search.training.checkpoint import Progress, Trainee, restore, save
from espalier.search.training.gradients import Gradients
from espalier.search.training.precision import autocast, place

EVALUATION_BATCH = 500
CHECKPOINT_SHARE = 0.02
"""Share of the time that may go into checkpoints; a small network has one after every epoch."""
LOSS = "loss"
"""What the mean training loss of an epoch is called in a curve."""
EARLY = "the mask no longer changed (early-bird)"
NO_SMALL = "small images were skipped: the network takes one size only"


Report = Callable[[Reported], None]


@dataclass(frozen=True)
class Trained:
    """What a run of training showed; the network itself was trained in place."""

    curve: tuple[CurvePoint, ...]
    early: EarlyStop | None
    kept: Mapping[str, Tensor]
    """What the regularizer learned beside the weights."""
    ran: Ran
    seconds: float

    @property
    def holdout(self) -> Metrics:
        """The task's metrics on the hold-out, after the last step."""
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
    progress = restore(checkpoint, run.trainee)
    curve, early, spent = progress.curve, progress.early, progress.seconds
    started = saved = time.monotonic()
    cost = 0.0
    for epoch in range(max(progress.epochs, run.first_epoch), run.epochs):
        if run.regularizer.is_done():
            break
        for point in run.epoch(epoch):
            curve.append(point)
            early = run.earlier(early, point)
        before = time.monotonic()
        if checkpoint and cost <= CHECKPOINT_SHARE * (before - saved):
            save(checkpoint, run.trainee, Progress(curve, spent + before - started, epoch + 1, early))
            saved = time.monotonic()
            cost = saved - before
        if report and curve:
            report(Reported(curve[-1], run.epochs, task.primary.name))
    if not curve:
        curve.append(run.untrained())
    kept = run.regularizer.finish(run.net)
    return Trained(tuple(curve), early, kept, run.ran(curve[-1].step or 0), spent + time.monotonic() - started)


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
        whole = recipe.epochs * self.batches
        self.steps = whole if recipe.last_step is None else min(whole, recipe.last_step)
        self.first_epoch, self.epochs = recipe.first_step // self.batches, -(-self.steps // self.batches)
        wanted = int(recipe.small_first * recipe.epochs)
        self.small_epochs = wanted if wanted and takes_small(net, data.shape) else 0
        self.notes: tuple[str, ...] = (NO_SMALL,) if wanted > self.small_epochs else ()
        self.optimizer = _optimizer(net, recipe)
        self.gradients = Gradients(net, task, execution, regularizer.learned)

    @property
    def trainee(self) -> Trainee:
        """What a checkpoint holds."""
        return Trainee(self.net, self.optimizer, self.regularizer)

    def ran(self, last: int) -> Ran:
        """What was really done, up to the last step."""
        epochs, notes = -(-last // self.batches), self.notes
        if last < self.steps:
            notes += (f"stopped after {epochs} of {self.epochs} epochs: {EARLY}",)
        steps, small = max(0, last - self.recipe.first_step), min(self.small_epochs, epochs)
        return Ran(epochs=epochs, steps=steps, small_epochs=small, notes=notes)

    def epoch(self, epoch: int) -> Iterator[CurvePoint]:
        """One pass over the data; the points of the curve in it, each with the mean loss of the steps before it."""
        self.net.train()
        generator = np.random.default_rng([self.seed, epoch])  # so that a resumed run draws the same
        torch.manual_seed(int(generator.integers(2**62)))  # dropout
        total, count = torch.zeros((), device=self.execution.device), 0
        start, end = epoch * self.batches, min(self.steps, (epoch + 1) * self.batches)
        small = epoch < self.small_epochs
        batches = training_batches(self.data, self.recipe, generator, self.execution, small)
        for step, batch in enumerate(itertools.islice(batches, end - start), start):
            if step >= self.recipe.first_step:
                total, count = total + self._step(batch, step), count + 1
            if self._is_looked_at(step + 1) and step + 1 < end and count:
                yield self._point(epoch, step + 1, total, count)
                total, count = torch.zeros_like(total), 0
                self.net.train()
        self.regularizer.after_epoch(self.net)
        if (self._is_looked_at(end) or end == self.steps or self.regularizer.is_done()) and count:
            yield self._point(epoch, end, total, count)
        elif not math.isfinite(float(total)):
            raise Diverged(epoch, float(total))

    def _is_looked_at(self, step: int) -> bool:
        """Whether the curve has a point after so many steps."""
        return step % (self.recipe.evaluate_every or self.batches) == 0

    def _point(self, epoch: int, step: int, total: Tensor, count: int) -> CurvePoint:
        loss = float(total) / count
        if not math.isfinite(loss):
            raise Diverged(epoch, loss)
        metrics = {LOSS: loss} | measure(self.net, self.task, self.data, "holdout", self.execution)
        for value in metrics.values():
            if not math.isfinite(value):
                raise Diverged(epoch, value)
        return CurvePoint(step=step, epoch=epoch, metrics=metrics)

    def untrained(self) -> CurvePoint:
        """The one point of a training of no steps."""
        return CurvePoint(step=0, epoch=0, metrics=measure(self.net, self.task, self.data, "holdout", self.execution))

    def earlier(self, best: EarlyStop | None, point: CurvePoint) -> EarlyStop | None:
        """Where training would best have stopped, now that the curve has another point; the test data is looked at only
        there."""
        metric = self.task.stops_by
        sign = metric.sign
        if not self.recipe.evaluate_every:
            return None
        if best is not None and sign * point.metrics[metric.name] <= sign * best.holdout[metric.name]:
            return best
        holdout = {name: value for name, value in point.metrics.items() if name != LOSS}
        test = measure(self.net, self.task, self.data, "test", self.execution)
        return EarlyStop(step=point.step or 0, holdout=holdout, test=test)

    def _step(self, batch: Batch, step: int) -> Tensor:
        lr = learning_rate(self.recipe, step, self.recipe.epochs * self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        loss = self.gradients(batch)
        self.regularizer.before_step(self.net)
        self.optimizer.step()
        self.regularizer.after_step(self.net, lr)
        return loss


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    rates: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "adam":
        return torch.optim.Adam(net.parameters(), betas=(recipe.momentum, 0.999), **rates)
    return torch.optim.SGD(net.parameters(), momentum=recipe.momentum, nesterov=recipe.nesterov, **rates)


def measure(net: nn.Module, task: Task, data: Data, split: Split, execution: Execution) -> Metrics:
    """The task's metrics of a network on a split, in evaluation mode."""
    net.eval()
    with torch.inference_mode(), autocast(execution):
        return task.metrics(net, plain_batches(data, split, EVALUATION_BATCH, execution))
