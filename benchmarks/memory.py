"""Build, cost and cut of a large network: peak memory, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.search.machine import peak_memory

NET = "torchvision/resnet152"


def run(_setting: Setting) -> Table:
    """Peak above what the interpreter and torch already take."""
    rows = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        weights = pool.submit(_weights).result()
        for verb in ("trace and allocate", "cost", "build", "build half", "build and cut to half"):
            seconds, peak = pool.submit(_measure, verb).result()
            rows.append((verb, f"{seconds:.1f}", f"{peak / 2**20:.0f}", f"{peak / weights:.2f}"))
    title = f"{NET} at 224 px; its weights are {weights / 2**20:.0f} MiB"
    return table(title, ("what", "seconds", "peak MiB", "times the weights"), rows)


def _weights() -> int:
    from espalier.models.cost import cost
    from espalier.models.network import dense

    return 4 * cost(dense(NET)).params


def _measure(verb: str) -> tuple[float, int]:
    """Seconds, and the growth of the peak of resident memory in bytes."""
    import torch

    from espalier.models.config import ChannelMask
    from espalier.models.cost import cost
    from espalier.models.network import Network, build, dense
    from espalier.models.surgery import prune
    from espalier.search.allocate import allocate, uniform
    from espalier.search.spec import Budget

    build(dense("vgg11", 10, (3, 32, 32), {"width": 0.1}))  # what torch loads on first use
    before, started = peak_memory(), time.perf_counter()
    whole = dense(NET)
    coupling = Network.of(whole).coupling
    budget = Budget(metric="channels", keep=0.5)
    widths = allocate(uniform(coupling.groups, 0.1), coupling, budget, 0.1)
    half = whole.model_copy(update={"widths": widths})
    if verb == "cost":
        cost(half)
    elif verb.startswith("build"):
        net = build(half if verb == "build half" else whole)
        if verb == "build and cut to half":
            kept = {group.name: torch.arange(group.width) < widths[group.name] for group in coupling.groups}
            prune(net, coupling, ChannelMask(kept), check=False)
    return time.perf_counter() - started, peak_memory() - before
