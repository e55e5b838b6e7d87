"""Training throughput against a plain loop with the reference settings, and whether both learn the same."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.models.config import ChannelConfig
from espalier.models.cost import cost
from espalier.models.network import build, dense
from espalier.search import tasks
from espalier.search.datasets.base import Data, Images
from espalier.search.machine import cores
from espalier.search.recipe import Crop, Flip, Recipe
from espalier.search.results import Execution
from espalier.search.training.execution import choose_execution
from espalier.search.training.loop import train

NETS = ("vgg19", "resnet56")
IMAGES, EPOCHS = 2560, 4
RECIPE = Recipe(
    epochs=EPOCHS,
    batch_size=64,
    lr=0.05,
    nesterov=False,
    weight_decay=1e-4,
    schedule="constant",
    augment=(Crop(pad=4), Flip()),
)
"""The reference settings but for the length, which is cut to what can be waited for."""
TASK = tasks.create("classification", RECIPE)


class Ran(NamedTuple):
    """One way to train, measured."""

    rate: float
    """Images per second."""
    losses: tuple[float, ...]
    """Mean training loss of each epoch."""


def run(setting: Setting) -> Table:
    """Each network both ways, on the same images."""
    data = _part(setting.data())
    peak = peak_bfloat16()
    rows = []
    for name in NETS:
        config = dense(name, len(data.classes), data.shape)
        with tempfile.TemporaryDirectory() as cache:
            execution = choose_execution(config, TASK, RECIPE.batch_size, cores(), 1, Path(cache))
        plain, ours = _plain(config, data), _ours(config, data, execution)
        flops = 6 * cost(config).macs * ours.rate  # forward and backward: three passes of multiply and add
        rows.append((
            name, f"{plain.rate:.0f}", f"{ours.rate:.0f}", f"{ours.rate / plain.rate:.2f}x", _words(execution),
            f"{100 * flops / peak:.0f} %", _curve(plain), _curve(ours),
        ))  # fmt: skip
    columns = ("network", "plain img/s", "ours img/s", "ratio", "chosen", "of peak", "loss, plain", "loss, ours")
    return table(f"Training on {cores()} cores; bf16 matrix products reach {peak / 1e9:.0f} GFLOP/s", columns, rows)


def _part(data: Data) -> Data:
    few = Images(data.train.x[:IMAGES], data.train.y[:IMAGES])
    none = Images(data.holdout.x[:1], data.holdout.y[:1])
    return Data(few, none, none, data.classes, data.mean, data.std, data.fingerprint)


def _ours(config: ChannelConfig, data: Data, execution: Execution) -> Ran:
    torch.set_num_threads(execution.threads)
    warm = RECIPE.model_copy(update={"epochs": 1})
    train(build(config), TASK, _fewer(data, 256), warm, 0, execution=execution)
    trained = train(build(config), TASK, data, RECIPE, 0, execution=execution)
    return Ran(EPOCHS * IMAGES / trained.seconds, tuple(point.metrics["loss"] for point in trained.curve))


def _fewer(data: Data, count: int) -> Data:
    few = Images(data.train.x[:count], data.train.y[:count])
    return Data(few, data.holdout, data.test, data.classes, data.mean, data.std, data.fingerprint)


class _Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Images as PIL pictures, transformed one by one: how the reference code reads its data."""

    def __init__(self, data: Data) -> None:
        self._images = [transforms.functional.to_pil_image(torch.from_numpy(np.array(x))) for x in data.train.x]
        self._labels = data.train.y.tolist()
        self._transform: Callable[[Any], torch.Tensor] = transforms.Compose([
            transforms.RandomCrop(data.shape[1:], padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(data.mean, data.std),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(self._images[index]), self._labels[index]


def _plain(config: ChannelConfig, data: Data) -> Ran:
    """Float32, contiguous, one image at a time through PIL."""
    torch.set_num_threads(cores())
    torch.manual_seed(0)
    net = build(config).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum, weight_decay=1e-4)
    _plain_epoch(net, optimizer, DataLoader(_Pictures(_fewer(data, 256)), batch_size=RECIPE.batch_size))
    net = build(config).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum, weight_decay=1e-4)
    loader = DataLoader(_Pictures(data), batch_size=RECIPE.batch_size, shuffle=True)
    started = time.monotonic()
    losses = [_plain_epoch(net, optimizer, loader) for _ in range(EPOCHS)]
    return Ran(EPOCHS * IMAGES / (time.monotonic() - started), tuple(losses))


def _plain_epoch(net: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader[Any]) -> float:
    losses = []
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def peak_bfloat16(size: int = 2048, runs: int = 10) -> float:
    """Floating-point operations per second of a large bf16 matrix product on all cores; the fastest of `runs`."""
    torch.set_num_threads(cores())
    a = torch.randn(size, size).bfloat16()
    best = math.inf
    for _ in range(runs):
        started = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _words(execution: Execution) -> str:
    return f"{execution.precision}, {'channels last' if execution.channels_last else 'contiguous'}"


def _curve(ran: Ran) -> str:
    return " ".join(f"{loss:.2f}" for loss in ran.losses)
