"""What running networks takes, measured when nothing else runs: as many in turn as memory has room for, so that what
the machine does meanwhile falls on each alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from espalier.models.config import ChannelConfig
from espalier.models.cost import cost
from espalier.models.network import build
from espalier.search.machine import processor
from espalier.search.results import Execution, Latencies, Latency
from espalier.search.training.precision import settle

WARM_UP = 3
"""Runs of each network that do not count."""
ROUNDS = (5, 50)
"""Fewest and most runs that do."""
SECONDS = 1.0
"""That one network may take at one batch size, if the fewest runs take no longer."""
SECONDS_IN_ALL = 120.0
BYTES = 2**30
"""Of networks that stand in memory together."""


def latencies(configs: Sequence[ChannelConfig], batch: int, cores: int, device: str) -> Latencies:
    """By the ids of configs, all of which take images of one shape: one image on one thread, and `batch` images on so
    many cores; in evaluation mode, in float32, with any weights. Zeros of a mask over single weights take as long as
    other numbers."""
    before = torch.get_num_threads()
    whole = {config.id: config.model_copy(update={"mask": None}) for config in configs}
    once = [*{config.id: config for config in whole.values()}.values()]
    found: dict[str, list[Latency]] = {config.id: [] for config in once}
    try:
        for images, threads in ((1, 1), (batch, cores)):
            settle(Execution(device=device, threads=threads))
            for some in _fitting(once):
                for config, seconds in zip(some, _timed(some, images, len(once), device), strict=True):
                    found[config.id].append(_told(seconds, images, threads, device))
    finally:
        torch.set_num_threads(before)
    return {id: tuple(found[config.id]) for id, config in whole.items()}


def _fitting(configs: Sequence[ChannelConfig]) -> Iterator[list[ChannelConfig]]:
    """As many at a time as memory has room for."""
    some: list[ChannelConfig] = []
    room = BYTES
    for config in configs:
        size = 4 * cost(config).params
        if some and size > room:
            yield some
            some, room = [], BYTES
        some.append(config)
        room -= size
    if some:
        yield some


def _timed(configs: Sequence[ChannelConfig], images: int, among: int, device: str) -> list[list[float]]:
    """Seconds of every run of each network; all of them take the same images."""
    nets = [build(config).to(device).eval() for config in configs]
    x = torch.randn(images, *configs[0].shape, device=device)
    with torch.inference_mode():
        first = [min(_seconds(net, x) for _ in range(WARM_UP)) for net in nets]
        room = len(nets) * min(SECONDS, SECONDS_IN_ALL / among)
        rounds = max(ROUNDS[0], min(ROUNDS[1], int(room / sum(first))))
        runs = [[_seconds(net, x) for net in nets] for _ in range(rounds)]
    return [list(seconds) for seconds in zip(*runs, strict=True)]


def _seconds(net: nn.Module, x: Tensor) -> float:
    started = time.perf_counter()
    net(x).cpu()  # waits for the device
    return time.perf_counter() - started


def _told(seconds: Sequence[float], images: int, threads: int, device: str) -> Latency:
    low, median, high = (1000 * one for one in statistics.quantiles(seconds, n=4, method="inclusive"))
    machine = torch.cuda.get_device_name() if device == "cuda" else processor()
    return Latency(
        images=images,
        threads=threads,
        machine=machine,
        median_ms=median,
        quartiles_ms=(low, high),
        runs=len(seconds),
    )
