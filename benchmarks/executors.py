"""What handing out a task takes, and how well 1, 2 and 4 workers are kept busy.

Tasks only wait, so that it does not matter how many cores there are.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from benchmarks.common import Setting
from espalier.app.tables import Table, table
from espalier.app.work.executors import EXECUTORS
from espalier.app.work.executors.base import Executor, Task

SECONDS, TASKS = 0.5, 40
"""Of a task, and how many each worker has."""


def run(_setting: Setting) -> Table:
    """Each executor with 1, 2 and 4 workers."""
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(16))
    rows = [(name, workers, *_measured(name, workers)) for name in EXECUTORS for workers in (1, 2, 4)]
    columns = ("executor", "workers", "tasks", "wall s", "efficiency", "ms per task beside it")
    return table(f"Tasks of {SECONDS} s, as many at once as there are workers", columns, rows)


def _measured(name: str, workers: int) -> tuple[Any, ...]:
    executor = EXECUTORS[name](workers)
    try:
        _all(executor, workers, workers)  # every worker is there
        started = time.monotonic()
        _all(executor, workers, workers * TASKS)
        wall = time.monotonic() - started
    finally:
        executor.shutdown()
    ideal = SECONDS * TASKS
    return workers * TASKS, f"{wall:.1f}", f"{100 * ideal / wall:.1f} %", f"{1000 * (wall - ideal) / TASKS:.0f}"


def _all(executor: Executor, at_once: int, count: int) -> None:
    """As a job does: a new task when one is done."""
    waiting = deque(Task(time.sleep, (SECONDS,)) for _ in range(count))
    running: set[Future[Any]] = set()
    while waiting or running:
        while waiting and len(running) < at_once:
            running.add(executor.submit(waiting.popleft()))
        _, running = wait(running, return_when=FIRST_COMPLETED)
