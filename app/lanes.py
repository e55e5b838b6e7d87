"""Lanes of questions to child processes: each has a process of its own, limits, and a line that has an end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from espalier.app.work.executors.base import Executor, Limits, OverLimit, Task, WorkerLost

T = TypeVar("T")

LONGEST_LINE = 16
"""Requests that may wait in one lane at once; the server's other threads stay free."""


class Busy(Exception):
    """More requests of this kind wait than the service takes."""


class Lane:
    """Questions of one kind, answered one after another."""

    def __init__(self, executor: Executor, limits: Limits) -> None:
        self._executor, self._limits = executor, limits
        self._places = threading.BoundedSemaphore(LONGEST_LINE)

    def ask(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function in the child process. Raises TaskFailed, WorkerLost or Busy."""
        if not self._places.acquire(blocking=False):
            raise Busy(f"{LONGEST_LINE} requests already wait to be looked at; try again in a moment")
        try:
            try:
                return self._submit(function, args).result()
            except OverLimit:
                raise
            except WorkerLost:  # killed, perhaps for what an earlier request left in it
                return self._submit(function, args).result()
        finally:
            self._places.release()

    def warm_up(self, function: Callable[[], Any]) -> None:
        """Let the child start and import what it will need; nobody waits for it."""
        self._submit(function, ())

    def _submit(self, function: Callable[..., T], args: tuple[Any, ...]) -> Future[T]:
        return self._executor.submit(Task(function, args, limits=self._limits))

    def close(self) -> None:
        """End the child process."""
        self._executor.shutdown()
