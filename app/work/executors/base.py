"""What an executor is: it runs functions in other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """A worker ended in the middle of a task: it crashed, or somebody killed it."""


class OverLimit(WorkerLost):
    """A worker was ended, since its task took more memory or time than it may."""


class Limits(NamedTuple):
    """What one task may take; None is without limit."""

    seconds: float | None = None
    bytes: int | None = None


class Task(NamedTuple):
    """One function to run elsewhere."""

    function: Callable[..., Any]
    """Importable, as a spawned process finds it."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    threads: int = 1
    """Cores that it uses."""
    report: Callable[[Any], None] | None = None
    """If given, the function gets a keyword `report`, and what it calls that with arrives here."""
    limits: Limits = Limits()


class Executor(Protocol):
    """Runs tasks in other processes: the shape of `concurrent.futures`, and `cancel` for what already runs."""

    cores: int

    def submit(self, task: Task) -> Future[Any]:
        """Run a task; its arguments and its result are picklable.

        The future raises TaskFailed if the function raised, WorkerLost if its process ended, CancelledError if it was
        cancelled.
        """

    def cancel(self, future: Future[Any]) -> None:
        """Stop a task, running or not; its process is gone when this returns."""

    def shutdown(self) -> None:
        """Cancel everything and end all processes."""
