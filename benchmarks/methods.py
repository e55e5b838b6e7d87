"""Scoring and selecting channels at 224 px: seconds and peak memory of every method, and torch-pruning's where it has
the same criterion, with how alike the two rank."""

from __future__ import annotations

import gc
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.search.machine import forget_peak, peak_memory

if TYPE_CHECKING:
    from espalier.models.network import Network
    from espalier.search.methods.base import Parent

Options = Mapping[str, Any]
NETS = ("torchvision/vgg16_bn", "torchvision/resnet50")
THREADS = 2
GRADIENT = {"of": "weight", "batches": 1}
"""Options of Taylor importance with which it is what torch-pruning takes: filters, and one batch's gradients."""
THEIRS = {
    "l1_norm": "l1",
    "geometric_median": "fpgm",
    "batch_norm_scale": "scale",
    "taylor of=weight batches=1": "taylor",
}
"""Our method -> torch-pruning's criterion."""
FEWER: Mapping[str, Options] = {"taylor": {"batches": 2}}
"""Instead of 32 batches of 32, whose gradients alone are 48 T multiply-adds with VGG-16 at 224 px."""
PAPERS = (
    ("vgg16", "thinet", {"images": 10_000, "places": 10}),
    ("vgg16", "feature_reconstruction", {"images": 5000, "places": 10}),
)
"""As many images, and places in each, as the papers look at; of 32 px, since at 224 px the network's own forward pass
over 10,000 images alone is 155 T multiply-adds."""


class Measured(NamedTuple):
    """One way to score one network."""

    seconds: float
    peak: int
    """Growth of the peak of resident memory, in bytes."""
    scores: Mapping[str, list[float]]
    """Layer -> score of each of its output channels."""


def run(_setting: Setting) -> Table:
    """Each in a process of its own, on two threads, with random images and weights."""
    from espalier.search.methods import METHODS
    from espalier.search.spec import MethodSpec

    rows = []
    channels = [name for name, kind in METHODS.items() if kind.grain == "channel"]
    plain: list[tuple[str, Options]] = [(name, FEWER.get(name, {})) for name in channels]
    wanted = [(net, name, options) for net in NETS for name, options in [*plain, ("taylor", GRADIENT)]]
    for net, name, options in [*wanted, *PAPERS]:
        called = str(MethodSpec(name=name, options=dict(options)))
        ours = _apart(_ours, net, name, options)
        theirs = _apart(_theirs, net, THEIRS[called]) if called in THEIRS else None
        rows.append((
            net.removeprefix("torchvision/"), called, f"{ours.seconds:.2f}", f"{ours.peak / 2**20:.0f}",
            "-" if theirs is None else f"{theirs.seconds:.2f}",
            "-" if theirs is None else f"{_agreement(ours.scores, theirs.scores):.3f}",
        ))  # fmt: skip
    columns = ("network", "method", "seconds", "MiB", "torch-pruning s", "same order")
    return table("Score and select half of the channels, two threads; same order: Spearman's mean", columns, rows)


def _apart(way: Callable[..., Measured], *args: Any) -> Measured:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        return pool.submit(way, *args).result()


def _parent(net: str) -> Parent:
    import torch

    from espalier.models.network import Network, dense
    from espalier.search import tasks
    from espalier.search.methods.base import Parent
    from espalier.search.recipe import Recipe
    from espalier.search.tasks import Batch

    torch.set_num_threads(THREADS)
    network = Network.of(dense(net)).fresh(0)
    generator = torch.Generator().manual_seed(1)
    for name in network.coupling.with_role("scale"):
        network.module.get_parameter(name).data.uniform_(0.1, 1, generator=generator)

    def batches(size: int) -> Iterator[Batch]:
        while True:
            images = torch.randn(size, *network.config.shape, generator=generator)
            yield Batch(images, torch.arange(size) % network.config.classes)

    kept = {group.name: torch.rand(group.width, generator=generator) for group in network.groups}
    task = tasks.create("classification", Recipe(epochs=1, batch_size=1, lr=0.1))
    return Parent(network, task, batches, kept)


def _ours(net: str, name: str, options: Options) -> Measured:
    from espalier.search.methods import create
    from espalier.search.spec import MethodSpec

    parent, method = _parent(net), create(MethodSpec(name=name, options=options))
    widths = {group.name: max(1, group.width // 2) for group in parent.network.groups}
    gc.collect()
    forget_peak()
    before, started = peak_memory(), time.perf_counter()
    scores = method.score(parent)
    method.select(parent, scores, widths)
    seconds, peak = time.perf_counter() - started, peak_memory() - before
    return Measured(seconds, peak, _by_layer(parent.network, scores))


def _by_layer(network: Network, scores: Mapping[str, Any]) -> dict[str, list[float]]:
    """Of groups that one layer alone writes to, by that layer."""
    found = {}
    for group in network.groups:
        written = [part.layer for part in group.slices if part.role == "out" and part.tensor.endswith("weight")]
        if len(written) == 1 and group.name in scores:
            found[written[0]] = scores[group.name].tolist()
    return found


def _theirs(net: str, name: str) -> Measured:
    import torch
    import torch_pruning as tp
    from torch import nn

    from espalier.search.methods.taylor import TaylorOptions

    warnings.simplefilter("ignore")
    parent = _parent(net)
    module = parent.network.module.eval()
    criteria: dict[str, Callable[[], Any]] = {
        "l1": lambda: tp.importance.MagnitudeImportance(p=1, group_reduction="first", normalizer=None),
        "fpgm": lambda: tp.importance.FPGMImportance(group_reduction="first", normalizer=None),
        "scale": lambda: tp.importance.BNScaleImportance(group_reduction="first", normalizer=None),
        "taylor": lambda: tp.importance.TaylorImportance(group_reduction="first", normalizer=None, multivariable=True),
    }
    importance = criteria[name]()
    graph = tp.DependencyGraph().build_dependency(module, torch.zeros(1, *parent.network.config.shape))
    layers = {path: one for path, one in module.named_modules() if isinstance(one, nn.Conv2d)}
    gc.collect()
    forget_peak()
    before, started = peak_memory(), time.perf_counter()
    scores = {}
    if name == "taylor":
        parent.task.loss(module, next(parent.batches(TaylorOptions().batch_size))).backward()
    for path, layer in layers.items():
        group = graph.get_pruning_group(layer, tp.prune_conv_out_channels, [*range(layer.out_channels)])
        values = importance(group)
        values.argsort()
        scores[path] = values.detach().flatten().tolist()
    return Measured(time.perf_counter() - started, peak_memory() - before, scores)


def _agreement(ours: Mapping[str, list[float]], theirs: Mapping[str, list[float]]) -> float:
    """Spearman's correlation, in the mean over the layers that both score."""
    from scipy.stats import spearmanr

    shared = [name for name in ours if name in theirs and len(ours[name]) == len(theirs[name])]
    return sum(float(spearmanr(ours[name], theirs[name]).statistic) for name in shared) / len(shared)
