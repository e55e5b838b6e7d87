"""Trace and cut to half of every group against torch-pruning: seconds, and peak of memory above the network itself."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.search.machine import forget_peak, peak_memory

NETS = ("resnet50", "densenet121", "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny")
RUNS = 9


class Cut(NamedTuple):
    """One way to cut one network, measured."""

    seconds: float
    peak: int
    """Growth of the peak of resident memory, in bytes, in the first run."""
    params: int
    """That are left."""


def run(_setting: Setting) -> Table:
    """Each way in a process of its own, on one thread, at the size the network was made for."""
    rows = []
    for name in NETS:
        ours, checked, theirs = (_apart(way, name) for way in WAYS)
        rows.append((
            name, *(f"{1000 * way.seconds:.0f}" for way in (ours, checked, theirs)),
            f"{theirs.seconds / ours.seconds:.1f}x", f"{ours.peak / 2**20:.0f}", f"{theirs.peak / 2**20:.0f}",
            f"{ours.params / 1e6:.2f}", f"{theirs.params / 1e6:.2f}",
        ))  # fmt: skip
    columns = (
        "network", "ours ms", "with check ms", "torch-pruning ms", "ratio", "ours MiB", "torch-pruning MiB",
        "ours M params", "torch-pruning M params",
    )  # fmt: skip
    return table(f"Trace and cut to half, one thread, smallest of {RUNS}", columns, rows)


def _apart(way: str, name: str) -> Cut:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        return pool.submit(_measure, way, name).result()


def _ours(name: str, check: bool = False) -> Callable[[], Any]:
    import torch

    from espalier.models.config import ChannelMask
    from espalier.models.network import build, dense
    from espalier.models.surgery import prune
    from espalier.models.tracing.trace import trace

    config = dense(f"torchvision/{name}")
    net = build(config).eval()

    def cut() -> Any:
        coupling = trace(net, config.shape)
        kept = {group.name: torch.arange(group.width) < (group.width + 1) // 2 for group in coupling.groups}
        return prune(net, coupling, ChannelMask(kept), check)

    return cut


def _theirs(name: str) -> Callable[[], Any]:
    import torch
    import torch_pruning

    from espalier.models.network import build, dense

    config = dense(f"torchvision/{name}")
    net = build(config).eval()
    head = [layer for layer in net.modules() if getattr(layer, "out_features", 0) == config.classes]

    def cut() -> Any:
        pruner = torch_pruning.pruner.MagnitudePruner(
            net,
            torch.zeros(1, *config.shape),
            importance=torch_pruning.importance.MagnitudeImportance(p=1),
            pruning_ratio=0.5,
            ignored_layers=head,
        )
        pruner.step()
        return net

    return cut


WAYS: dict[str, Callable[[str], Callable[[], Any]]] = {
    "ours": _ours,
    "checked": functools.partial(_ours, check=True),
    "torch-pruning": _theirs,
}
"""Each makes a network by name, and gives the function that traces and cuts it."""


def _measure(way: str, name: str) -> Cut:
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    WAYS[way]("resnet18")()  # what is loaded on first use
    seconds, peak, params = [], 0, 0
    for index in range(RUNS):
        cut = WAYS[way](name)
        gc.collect()
        forget_peak()
        before, started = peak_memory(), time.perf_counter()
        net = cut()
        seconds.append(time.perf_counter() - started)
        if index == 0:
            peak, params = peak_memory() - before, sum(parameter.numel() for parameter in net.parameters())
    return Cut(min(seconds), peak, params)  # what else runs here only adds to it
