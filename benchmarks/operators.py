"""Where the time of a training step goes, by kind of operator."""

from __future__ import annotations

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.models.cost import cost
from espalier.models.network import build, dense
from espalier.search import tasks
from espalier.search.machine import cores
from espalier.search.recipe import Recipe
from espalier.search.results import Execution
from espalier.search.tasks import Batch
from espalier.search.training.gradients import Gradients
from espalier.search.training.precision import laid_out, place

NETS = ("vgg19", "resnet56")
BATCH, STEPS = 64, 5
KINDS = {
    "convolutions": ("convolution", "mkldnn_convolution", "conv2d"),
    "batch norms": ("batch_norm",),
    "ReLU, sums, pooling": ("relu", "threshold", "add", "pool"),
    "casts and copies": ("_to_copy", "copy_", "to", "clone", "contiguous"),
    "optimiser": ("sgd",),
}


def run(_setting: Setting) -> Table:
    """Shares of the operators' own time, and the speed the convolutions alone reach."""
    rows = []
    for name in NETS:
        seconds = _profile(name)
        total = sum(seconds.values())
        flops = 6 * cost(dense(name)).macs * BATCH * STEPS
        shares = (f"{100 * seconds[kind] / total:.0f} %" for kind in (*KINDS, "other"))
        rows.append((name, f"{1000 * total / STEPS:.0f}", *shares, f"{flops / seconds['convolutions'] / 1e9:.0f}"))
    columns = ("network", "ms a step", *KINDS, "other", "GFLOP/s in convolutions")
    return table(f"A training step of {BATCH} images, bf16, channels last, {cores()} threads", columns, rows)


def _profile(name: str) -> dict[str, float]:
    """Seconds by kind of operator."""
    execution = Execution(precision="bfloat16", channels_last=True, threads=cores())
    torch.set_num_threads(execution.threads)
    net = place(build(dense(name)), execution).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, fused=True)
    x = laid_out(torch.randn(BATCH, 3, 32, 32), execution)
    batch = Batch(x, torch.arange(BATCH) % 10)
    gradients = Gradients(net, tasks.create("classification", Recipe(epochs=1, batch_size=BATCH, lr=1e-3)), execution)

    def step() -> None:
        gradients(batch)
        optimizer.step()

    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(STEPS):
            step()
    seconds = dict.fromkeys((*KINDS, "other"), 0.0)
    for event in profiled.key_averages():
        seconds[_kind(event.key)] += event.self_cpu_time_total / 1e6
    return seconds


def _kind(operator: str) -> str:
    name = operator.removeprefix("aten::").lower()
    for kind, words in KINDS.items():
        if name in words or any(len(word) > 2 and word in name for word in words):
            return kind
    return "other"
