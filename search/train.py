"""The one training loop. Images stay bytes in memory and are augmented as batches; deterministic by seed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from espalier.models.tensors import fill, state_of
from espalier.search.data import Data, Images, batches
from espalier.search.errors import Diverged
from espalier.search.types import Epoch, Execution, Recipe

EVALUATION_BATCH = 500
CHECKPOINT_SHARE = 0.02
"""Share of the time that may go into checkpoints; a small network has one after every epoch."""
SMALL = 0.75
"""Edge of the images in the epochs of `Recipe.small_first`, as a share of the whole."""

Report = Callable[[Epoch], None]


class Regularizer(Protocol):
    """What training must respect besides the data."""

    def penalty(self, net: nn.Module) -> None:
        """Add to the gradients, after the backward pass and before the optimiser's step."""

    def project(self, net: nn.Module, lr: float) -> None:
        """Change the weights after the optimiser's step."""


@dataclass(frozen=True)
class Trained:
    """What a run of training showed; the network itself was trained in place."""

    curve: tuple[Epoch, ...]
    seconds: float


def steps_per_epoch(recipe: Recipe, images: int) -> int:
    """Full batches in one pass; a data set smaller than one batch is one step."""
    return max(1, images // recipe.batch_size)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of one step (from 0) out of `steps`.

    step: divided by 10 at half and at three quarters (the papers' schedule, scaled with the length).
    one_cycle: linear up over `warmup` of the steps, linear down to zero over the rest (Smith & Topin 2018).
    """
    if recipe.schedule == "constant":
        return recipe.lr
    if recipe.schedule == "step":
        return recipe.lr * 0.1 ** ((step >= steps // 2) + (step >= steps * 3 // 4))
    peak = recipe.warmup * steps
    if step < peak:
        return recipe.lr * (step + 1) / (peak + 1)
    return recipe.lr * (steps - step) / (steps - peak + 1)


def train(
    net: nn.Module,
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
    run = _Run(net, data, recipe, seed, regularizer, execution or Execution())
    curve, spent = run.restore(checkpoint)
    started = saved = time.monotonic()
    cost = 0.0
    for epoch in range(len(curve), recipe.epochs):
        loss = run.epoch(epoch)
        holdout = accuracy(net, data, data.holdout, run.execution)
        curve.append(Epoch(epoch=epoch, epochs=recipe.epochs, loss=loss, holdout=holdout))
        if report:
            report(curve[-1])
        before = time.monotonic()
        if checkpoint and cost <= CHECKPOINT_SHARE * (before - saved):
            run.save(checkpoint, curve, spent + before - started)
            saved = time.monotonic()
            cost = saved - before
    return Trained(tuple(curve), spent + time.monotonic() - started)


class _Run:
    """The state of one training: network, optimiser, data."""

    def __init__(
        self,
        net: nn.Module,
        data: Data,
        recipe: Recipe,
        seed: int,
        regularizer: Regularizer | None,
        execution: Execution,
    ) -> None:
        self.net = place(net, execution)
        self.data, self.recipe, self.seed = data, recipe, seed
        self.regularizer, self.execution = regularizer, execution
        self.batches = steps_per_epoch(recipe, len(data.train))
        self.small_epochs = int(recipe.small_first * recipe.epochs)
        if self.small_epochs and not _takes_small(net, data.shape):
            self.small_epochs = 0
        self.optimizer = torch.optim.SGD(
            net.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
            fused=True,
        )

    def epoch(self, epoch: int) -> float:
        """One pass over the data; the mean loss of its steps."""
        self.net.train()
        generator = np.random.default_rng([self.seed, epoch])  # so that a resumed run draws the same
        torch.manual_seed(int(generator.integers(2**62)))  # dropout
        total = torch.zeros((), device=self.execution.device)
        for index, (images, labels) in enumerate(self._batches(generator, epoch < self.small_epochs)):
            total += self._step(images, labels, epoch * self.batches + index)
        loss = float(total) / self.batches
        if not math.isfinite(loss):
            raise Diverged(epoch, loss)
        return loss

    def _step(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        lr = learning_rate(self.recipe, step, self.recipe.epochs * self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.execution):
            loss = F.cross_entropy(self.net(images), labels, label_smoothing=self.recipe.label_smoothing)
        loss.backward()
        if self.regularizer is not None:
            self.regularizer.penalty(self.net)
        self.optimizer.step()
        if self.regularizer is not None:
            self.regularizer.project(self.net, lr)
        return loss.detach()

    def _batches(self, generator: np.random.Generator, small: bool) -> Iterator[tuple[Tensor, Tensor]]:
        train, size = self.data.train, self.recipe.batch_size
        order = generator.permutation(len(train))
        for index in range(self.batches):
            chosen = order[index * size : (index + 1) * size]
            x = torch.from_numpy(train.x[chosen]).to(self.execution.device)
            x = normalise(augment(x, self.recipe, generator), self.data, self.execution)
            yield shrink(x) if small else x, torch.from_numpy(train.y[chosen]).to(self.execution.device)

    def save(self, path: Path, curve: list[Epoch], seconds: float) -> None:
        """Write the state so that either the old file or the new one is there, whatever happens."""
        state = {f"net.{name}": value.contiguous() for name, value in state_of(self.net).items()}
        for name, parameter in self.net.named_parameters():
            momentum = self.optimizer.state[parameter].get("momentum_buffer")
            if momentum is not None:
                state[f"momentum.{name}"] = momentum.contiguous()
        about = {"curve": json.dumps([point.model_dump() for point in curve]), "seconds": str(seconds)}
        temporary = path.with_suffix(".new")
        safetensors.torch.save_file(state, temporary, metadata=about)
        temporary.replace(path)

    def restore(self, path: Path | None) -> tuple[list[Epoch], float]:
        """Load the state if there is one; returns the curve so far and the seconds it took."""
        if path is None or not path.exists():
            return [], 0.0
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata()
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        except SafetensorError:  # a disk that filled up; there is nothing to go on from
            return [], 0.0
        fill(self.net, {n.removeprefix("net."): v for n, v in state.items() if n.startswith("net.")})
        for name, parameter in self.net.named_parameters():
            if f"momentum.{name}" in state:
                value = torch.empty_like(parameter).copy_(state[f"momentum.{name}"])  # keeps the memory layout
                self.optimizer.state[parameter]["momentum_buffer"] = value
        return [Epoch.model_validate(point) for point in json.loads(about["curve"])], float(about["seconds"])


def place(net: nn.Module, execution: Execution) -> nn.Module:
    """Move a network, in place, to the device and memory layout it is computed in."""
    memory = torch.channels_last if execution.channels_last else torch.contiguous_format
    return net.to(execution.device).to(memory_format=memory)


def autocast(execution: Execution) -> torch.autocast:
    """The context in which the forward pass runs."""
    device = torch.device(execution.device).type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=execution.precision == "bfloat16")


def augment(x: Tensor, recipe: Recipe, generator: np.random.Generator) -> Tensor:
    """Pad with black and crop at random, mirror at random; x [batch, channels, height, width] of bytes."""
    count, _, height, width = x.shape
    if recipe.crop:
        edge = recipe.crop
        windows = F.pad(x, (edge, edge, edge, edge)).unfold(2, height, 1).unfold(3, width, 1)
        top, left = torch.from_numpy(generator.integers(0, 2 * edge + 1, (2, count))).to(x.device)
        x = windows[torch.arange(count, device=x.device), :, top, left]
    if recipe.flip:
        mirrored = torch.from_numpy(generator.random(count) < 0.5).to(x.device)
        x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    return x


def normalise(x: Tensor, data: Data, execution: Execution) -> Tensor:
    """Bytes to floats with mean 0 and deviation 1 in each channel, in the network's memory layout."""
    mean, std = (torch.tensor(v, device=x.device).view(1, -1, 1, 1) * 255 for v in (data.mean, data.std))
    memory = torch.channels_last if execution.channels_last else torch.contiguous_format
    return ((x.float() - mean) / std).contiguous(memory_format=memory)


def shrink(x: Tensor) -> Tensor:
    """Images [batch, channels, height, width] at `SMALL` of their edges, memory layout kept.

    Training begins on small images, which cost about half, and ends on whole ones (Tan & Le 2021, section 4).
    """
    edges = [round(SMALL * edge) for edge in x.shape[2:]]
    return F.interpolate(x, size=edges, mode="bilinear", antialias=True)


def _takes_small(net: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether the network works on small images, too: one that ends in a flatten takes one size only."""
    parameter = next(net.parameters())
    try:
        with torch.inference_mode():
            net.eval()(shrink(torch.zeros(1, *shape, dtype=parameter.dtype, device=parameter.device)))
    except (RuntimeError, AssertionError):
        return False
    return True


def accuracy(net: nn.Module, data: Data, images: Images, execution: Execution) -> float:
    """Share of images whose largest logit is their label, in evaluation mode."""
    net.eval()
    hits = 0
    with torch.inference_mode(), autocast(execution):
        for part in batches(len(images), EVALUATION_BATCH):
            x = normalise(torch.from_numpy(np.array(images.x[part])).to(execution.device), data, execution)
            hits += int((net(x).argmax(1).cpu() == torch.from_numpy(images.y[part])).sum())
    return hits / len(images)
