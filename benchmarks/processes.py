"""Small networks side by side: what a second process adds, and what a second thread would."""

from __future__ import annotations

from concurrent.futures import Future

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.app.work.executors.base import Task
from espalier.app.work.executors.local import LocalExecutor
from espalier.models.config import ChannelConfig
from espalier.models.network import dense
from espalier.search import tasks
from espalier.search.machine import cores
from espalier.search.recipe import Recipe
from espalier.search.results import Execution
from espalier.search.training.execution import step_seconds

TASK = tasks.create("classification", Recipe(epochs=1, batch_size=128, lr=0.1))
NET, WIDTH, BATCH, STEPS = "vgg16", 0.25, 128, 120


def run(_setting: Setting) -> Table:
    """One process; as many as cores; one with as many threads as cores."""
    config = dense(NET, 10, (3, 32, 32), {"width": WIDTH})
    alone = Execution(precision="bfloat16", channels_last=True, threads=1)
    count = cores()
    one = _rate(config, alone, 1)
    side_by_side = _rate(config, alone, count)
    threads = _rate(config, alone.model_copy(update={"threads": count}), 1)
    rows = [
        ("1 process, 1 thread", f"{one:.0f}", "1.00x"),
        (f"{count} processes, 1 thread each", f"{side_by_side:.0f}", f"{side_by_side / one:.2f}x"),
        (f"1 process, {count} threads", f"{threads:.0f}", f"{threads / one:.2f}x"),
    ]
    return table(f"{NET} at width {WIDTH}, batches of {BATCH}, bf16", ("how", "img/s", "ratio"), rows)


def _rate(config: ChannelConfig, execution: Execution, processes: int) -> float:
    """Images per second of all processes together."""
    executor = LocalExecutor(cores())
    try:
        for future in [_submit(executor, config, execution, 1) for _ in range(processes)]:
            future.result()  # so that all begin at once, with torch imported
        futures = [_submit(executor, config, execution, STEPS) for _ in range(processes)]
        return sum(BATCH * STEPS / sum(future.result()) for future in futures)
    finally:
        executor.shutdown()


def _submit(executor: LocalExecutor, config: ChannelConfig, execution: Execution, steps: int) -> Future[list[float]]:
    return executor.submit(Task(step_seconds, (config, TASK, BATCH, execution, steps), threads=execution.threads))
