"""What recording a training step gains on a GPU; on a processor nothing is recorded, and there is no row."""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.models.network import build, dense
from espalier.search import tasks
from espalier.search.datasets.base import Data, Images
from espalier.search.recipe import Crop, Flip, Recipe
from espalier.search.results import Execution
from espalier.search.training.batches import training_batches
from espalier.search.training.gradients import Gradients
from espalier.search.training.precision import place, settle

NETS = ("resnet20", "vgg16")
BATCH, STEPS, FIRST = 128, 100, 10
WAYS = (
    Execution(device="cuda", precision="bfloat16", channels_last=True, threads=1),
    Execution(device="cuda", precision="float32", threads=1),
)


def run(_setting: Setting) -> Table:
    """Milliseconds a step, images made ready and optimiser's step included."""
    rows = []
    for net in NETS if torch.cuda.is_available() else ():
        for way in WAYS:
            plain, recorded = (_step_seconds(net, way, records) for records in (False, True))
            rows.append((
                net, str(way), f"{1000 * plain:.2f}", f"{1000 * recorded:.2f}", f"{plain / recorded:.1f}",
                f"{BATCH / recorded:.0f}",
            ))  # fmt: skip
    columns = ("network", "how", "kernel by kernel, ms", "replayed, ms", "ratio", "images/s")
    return table(f"A training step of {BATCH} images of 32 px on a GPU", columns, rows)


def _step_seconds(name: str, execution: Execution, records: bool) -> float:
    settle(execution)
    generator = np.random.default_rng(0)
    data, recipe = _data(generator), Recipe(epochs=1, batch_size=BATCH, lr=0.01, augment=(Crop(pad=4), Flip()))
    net = place(build(dense(name)), execution).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=True)
    gradients = Gradients(net, tasks.create("classification", recipe), execution)
    gradients.records = gradients.records and records
    for number, batch in enumerate(training_batches(data, recipe, generator, execution, False)):
        if number == FIRST:
            torch.cuda.synchronize()
            started = time.perf_counter()
        gradients(batch)
        optimizer.step()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / STEPS


def _data(generator: np.random.Generator) -> Data:
    """Random images, as many as there are steps for."""

    def images(count: int) -> Images:
        x = generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        return Images(x, generator.integers(0, 10, count))

    train, holdout, test = images((FIRST + STEPS) * BATCH), images(BATCH), images(BATCH)
    return Data(train, holdout, test, tuple("0123456789"), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), "random")
