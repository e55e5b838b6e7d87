"""One worker process, and what runs in it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from concurrent.futures import CancelledError
from multiprocessing.connection import Connection
from typing import Any

import psutil

from espalier.app.work.executors.base import (
    Limits,
    Message,
    OverLimit,
    Task,
    TaskFailed,
    WorkerLost,
    attempted,
    forget_secrets,
)

POLL_SECONDS = 0.2
GROWN_SHARE = 0.25
"""Share of the machine's memory above which an idle worker is replaced."""


def _quieten_tracker() -> None:
    """A worker that is killed gives back no semaphores; Python's tracker does that, and need not speak of it."""
    option = "ignore:resource_tracker"  # inherited by the tracker, which the first worker starts
    if option not in sys.warnoptions:
        sys.warnoptions.append(option)


class Worker:
    """One process and the pipe to it."""

    def __init__(self, name: str, gpu: str | None = None) -> None:
        self.gpu = gpu
        """The only one that it sees; None: whatever there is."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        lifeline, self._lifeline = context.Pipe(duplex=False)
        self._process = context.Process(target=_serve, args=(theirs, lifeline, gpu), name=name, daemon=True)
        _quieten_tracker()
        self._process.start()
        theirs.close()
        lifeline.close()
        self.cancelled = False

    def is_fit(self) -> bool:
        """Whether it can take another task."""
        return self._process.is_alive() and not self.cancelled and self._bytes() < GROWN_SHARE * total_memory()

    def call(self, task: Task) -> Any:
        """Run the task to its end, passing on what it reports."""
        try:
            self._pipe.send((task.function, task.args, dict(task.kwargs), task.report is not None))
        except OSError as error:
            raise self._ended() from error
        started = time.monotonic()
        while True:
            kind, value = self._receive(started, task.limits)
            if kind == "report" and task.report is not None:
                task.report(value)
            elif kind == "result":
                return value
            elif kind == "error":
                raise TaskFailed(*value)

    def _receive(self, started: float, limits: Limits) -> Message:
        try:
            while not self._pipe.poll(POLL_SECONDS):
                if words := limits.exceeded_by(time.monotonic() - started, self._bytes()):
                    raise OverLimit(words)
            message: Message = self._pipe.recv()
            return message
        except WorkerLost:
            self.kill()
            raise
        except (EOFError, OSError) as error:
            raise self._ended() from error

    def _ended(self) -> Exception:
        """Why the pipe is closed."""
        if self.cancelled:
            return CancelledError()
        self._process.join(5)
        return WorkerLost(f"its process ended ({_cause(self._process.exitcode)})")

    def kill(self) -> None:
        """End the process now; what it wrote is either whole or not there."""
        self._process.kill()
        self._process.join(5)
        self._lifeline.close()

    def _bytes(self) -> int:
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0


def total_memory() -> int:
    """Bytes of memory that this machine has."""
    return int(psutil.virtual_memory().total)


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"{name}, perhaps out of memory" if name == "SIGKILL" else name
    return f"exit code {code}"


# --- in the worker process ------------------------------------------------------------------------------------------


def _serve(pipe: Connection, lifeline: Connection, gpu: str | None) -> None:
    """Take tasks from the pipe until it closes. Signals are the parent's business; no parent, no work."""
    forget_secrets()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # before anything asks for it
    for number in (signal.SIGINT, signal.SIGTERM):  # they may reach the whole process group
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    with contextlib.suppress(EOFError):
        while True:
            function, args, kwargs, reports = pipe.recv()
            if reports:
                kwargs["report"] = lambda value: pipe.send(("report", value))
            try:
                pipe.send(attempted(function, args, kwargs))
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                pipe.send(("error", (type(error).__name__, f"its result cannot be sent: {error}", False)))


def _end_with_parent(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)
