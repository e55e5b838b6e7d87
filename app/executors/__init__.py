"""Running functions elsewhere. An executor is one file and one line in `app.service.EXECUTORS`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol


class TaskFailed(Exception):
    """A function raised in its worker: the error's type, and its message."""

    def __init__(self, kind: str, message: str, is_users: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.is_users = is_users
        """Whether the request was wrong, rather than the code or the machine."""


class WorkerLost(Exception):
    """A worker ended in the middle of a task: it crashed, or took more memory or time than it may."""


class Limits(NamedTuple):
    """What one task may take; None is without limit."""

    seconds: float | None = None
    bytes: int | None = None


NO_LIMITS = Limits()


class Executor(Protocol):
    """Runs functions in other processes: the shape of `concurrent.futures`, and `cancel` for what already runs."""

    cores: int

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        threads: int = 1,
        report: Callable[[Any], None] | None = None,
        limits: Limits = NO_LIMITS,
        **kwargs: Any,
    ) -> Future[Any]:
        """Run `function(*args, **kwargs)` on so many threads. It must be importable, its arguments picklable.

        With `report`, the function gets a keyword `report`, and what it calls that with arrives here. The future
        raises TaskFailed if the function did, WorkerLost if its process ended, CancelledError if it was cancelled.
        """

    def cancel(self, future: Future[Any]) -> None:
        """Stop a task, running or not; its process is gone when this returns."""

    def shutdown(self) -> None:
        """Cancel everything and end all processes."""
