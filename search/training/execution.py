"""How a network is computed on this machine: precision, memory layout and threads, chosen by timing a few steps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import torch
from filelock import FileLock
from pydantic import ValidationError
from torch.profiler import ProfilerActivity, profile

from espalier.models.config import ChannelConfig
from espalier.models.document import content_hash
from espalier.models.network import build
from espalier.search.machine import forget_peak, peak_memory, processor
from espalier.search.results import FREE, Execution, Pinned, Precision
from espalier.search.tasks.base import Batch, Task
from espalier.search.training.gradients import WARM_UP, Gradients
from espalier.search.training.precision import laid_out, place, settle

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
WAY = 2
"""How it is chosen: what was remembered of another way does not count."""
STEPS = 3
FIRST = WARM_UP + 1
"""Steps before them that are not timed."""
ROUNDS = 2
"""Every way is timed so often, in turn, and its fastest step counts: whatever else the machine does only takes time."""
ENOUGH = 0.95
"""Share of the best throughput that is as good: the plainer precision and layout are preferred then, so that noise
decides less, and fewer threads for more networks. The choice is made for the dense network, and the smaller ones that
follow make less of threads."""
MEMORY_SHARE = 0.8
"""Share of the memory, the machine's or a GPU's, that networks side by side may take."""
GPU_CONTEXT = 2**29
"""Bytes on a GPU that each process takes before it has computed anything."""


def choose_execution(
    config: ChannelConfig, task: Task, batch_size: int, cores: int, most: int, cache: Path, pinned: Pinned = FREE
) -> Execution:
    """The fastest way to train up to `most` such networks side by side here, as far as it is not `pinned`; timed once
    and remembered in `cache`.

    Every arm of a job gets the choice made for its dense network, so that all are compared at one precision.
    """
    about = {
        "way": WAY,
        "config": config.id,
        "batch": batch_size,
        "torch": torch.__version__,
        "cpu": processor(),
        "cores": cores,
        "side_by_side": min(cores, most),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
    if pinned != FREE:
        about["pinned"] = pinned.model_dump()
    path = cache / "execution" / f"{content_hash(about)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        with contextlib.suppress(FileNotFoundError, ValidationError):  # missing, or cut short by a kill
            return Execution.model_validate_json(path.read_text())
        choice = _measure(config, task, batch_size, cores, most, pinned)
        path.write_text(choice.model_dump_json())
        return choice


def _measure(config: ChannelConfig, task: Task, batch_size: int, cores: int, most: int, pinned: Pinned) -> Execution:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    ways: list[tuple[Precision, bool]] = [(one, layout) for one in PRECISIONS for layout in (False, True)]
    possible = [Execution(device=device, precision=one, channels_last=layout, threads=cores) for one, layout in ways]
    options = [one for one in possible if pinned.allows(one)]
    if pinned.threads is not None and len(options) == 1:  # all is said
        return options[0].model_copy(update={"threads": min(pinned.threads, cores)})
    forget_peak()  # of larger networks that this process has seen
    best = _first_that_is_enough(_rates(config, task, batch_size, options))
    if pinned.threads is not None:
        return best.model_copy(update={"threads": min(pinned.threads, cores)})
    most = min(most, int(MEMORY_SHARE * psutil.virtual_memory().total / peak_memory()))  # one has now been trained here
    if device != "cpu":
        most = max(1, min(most, cores, _room_on_gpu(), round(1 / _busy(config, task, batch_size, best))))
        return best.model_copy(update={"threads": threads_of(most, cores)})
    shares = [
        best.model_copy(update={"threads": threads})
        for threads in range(1, cores)
        if cores % threads == 0 and cores // threads <= most
    ]
    if not shares:
        return best
    rates = _rates(config, task, batch_size, [*shares, best])
    return _first_that_is_enough({option: cores // option.threads * rate for option, rate in rates.items()})


def threads_of(most: int, cores: int) -> int:
    """For each of as many networks as there can be, up to `most`, where each has as many threads."""
    least = cores // (most + 1) + 1
    return cores // (cores // least)


def _busy(config: ChannelConfig, task: Task, batch_size: int, execution: Execution) -> float:
    """Share of a training step in which the GPU computes. Else it waits to be told what, and could serve others."""
    whole = batch_size / throughput(config, task, batch_size, execution)
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as watched:
        step_seconds(config, task, batch_size, execution, STEPS)
    computing = 1e-6 / (FIRST + STEPS) * sum(float(one.self_device_time_total) for one in watched.key_averages())
    return min(1.0, max(computing / whole, 1e-3))


def _room_on_gpu() -> int:
    """Networks, as large as the largest that this process has trained, for whose processes a GPU has memory."""
    whole = torch.cuda.get_device_properties(0).total_memory
    return int(MEMORY_SHARE * whole / (torch.cuda.max_memory_reserved() + GPU_CONTEXT))


def _rates(config: ChannelConfig, task: Task, batch_size: int, options: Sequence[Execution]) -> dict[Execution, float]:
    """Images per second of one network in each of these ways."""
    rounds = [{one: throughput(config, task, batch_size, one) for one in options} for _ in range(ROUNDS)]
    return {one: max(rates[one] for rates in rounds) for one in options}


def _first_that_is_enough(rates: Mapping[Execution, float]) -> Execution:
    enough = ENOUGH * max(rates.values())
    return next(option for option, rate in rates.items() if rate >= enough)


def throughput(config: ChannelConfig, task: Task, batch_size: int, execution: Execution, steps: int = STEPS) -> float:
    """Images per second of the fastest of some training steps."""
    return batch_size / min(step_seconds(config, task, batch_size, execution, steps))


def step_seconds(config: ChannelConfig, task: Task, batch_size: int, execution: Execution, steps: int) -> list[float]:
    """How long each of some training steps takes, on random examples."""
    before = torch.get_num_threads()
    settle(execution)
    try:
        net = place(build(config), execution).train()
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, fused=True)
        gradients = Gradients(net, task, execution)
        batch = task.sample(config, batch_size).to(execution.device)
        batch = Batch(laid_out(batch.inputs, execution), batch.targets)
        seconds = []
        for _ in range(FIRST + steps):
            started = time.perf_counter()
            loss = gradients(batch)
            optimizer.step()
            float(loss)  # waits for the device
            seconds.append(time.perf_counter() - started)
        return seconds[FIRST:]
    finally:
        torch.set_num_threads(before)
