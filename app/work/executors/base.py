"""What an executor is: it runs functions in other processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple, Protocol


class TaskFailed(Exception):
    """A function raised in its worker: the error's type, and its message."""

    def __init__(self, kind: str, message: str, is_users: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.is_users = is_users
        """Whether the request was wrong, rather than the code or the machine."""


class ExecutorUnusable(Exception):
    """An executor that cannot be had here: its package is missing, or its cluster is not there."""


class WorkerLost(Exception):
    """A worker ended in the middle of a task: it crashed, or somebody killed it."""


class OverLimit(WorkerLost):
    """A worker was ended, since its task took more memory or time than it may."""


class Limits(NamedTuple):
    """What one task may take; None is without limit."""

    seconds: float | None = None
    bytes: int | None = None

    def exceeded_by(self, seconds: float, bytes: int) -> str:
        """Which of them a task exceeds that took so much, in words; empty if none."""
        if self.seconds is not None and seconds > self.seconds:
            return f"it took more than {self.seconds:g} seconds, which is the limit"
        if self.bytes is not None and bytes > self.bytes:
            return f"it took more than {self.bytes / 2**30:.1f} GiB of memory, which is the limit"
        return ""


class Task(NamedTuple):
    """One function to run elsewhere."""

    function: Callable[..., Any]
    """Importable, as a spawned process finds it."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    threads: int = 1
    """Cores that it uses."""
    on_gpu: bool = False
    """Whether it would use a GPU, where there is one."""
    report: Callable[[Any], None] | None = None
    """If given, the function gets a keyword `report`, and what it calls that with arrives here."""
    limits: Limits = Limits()


Message = tuple[Literal["report", "result", "error", "over"], Any]
"""What a worker tells: a report, then what came of its task."""
SECRETS = (
    "ESPALIER_TOKEN",
    "ESPALIER_DATABASE_URL",
    "ESPALIER_WEBHOOK_SECRET",
    "ESPALIER_TRACES_URL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
)
"""What the code of somebody's network need not find in its environment."""


def forget_secrets() -> None:
    """In a worker: take them out of the environment."""
    for secret in SECRETS:
        os.environ.pop(secret, None)


def attempted(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Message:
    """In a worker: what came of a function; of an error what TaskFailed is made of, since it may not be importable
    where it is read."""
    try:
        return "result", function(*args, **kwargs)
    except Exception as error:
        return "error", (type(error).__name__, str(error) or type(error).__name__, getattr(error, "is_users", False))


class Executor(Protocol):
    """Runs tasks in other processes: the shape of `concurrent.futures`, and `cancel` for what already runs."""

    @property
    def widest(self) -> int:
        """Cores of its largest machine, or those that come with one of its GPUs: the most that one task can have. 0: no
        machine is there yet."""

    def slots(self, threads: int, on_gpu: bool) -> int:
        """How many tasks of so many threads run at once, all on GPUs or none."""

    def submit(self, task: Task) -> Future[Any]:
        """Run a task; its arguments and its result are picklable.

        The future raises TaskFailed if the function raised, WorkerLost if its process ended, CancelledError if it was
        cancelled.
        """

    def cancel(self, future: Future[Any]) -> None:
        """Stop a task, running or not; its process is gone when this returns, or on another machine a moment later."""

    def shutdown(self) -> None:
        """Cancel everything and end all processes."""
