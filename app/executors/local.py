"""Worker processes on this machine: spawned, kept warm (importing torch takes seconds), and replaced when they end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

import psutil

from espalier.app.executors import NO_LIMITS, Limits, TaskFailed, WorkerLost

POLL_SECONDS = 0.2
GROWN_SHARE = 0.25
"""Share of the machine's memory above which an idle worker is replaced."""


class _Task(NamedTuple):
    future: Future[Any]
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    threads: int
    report: Callable[[Any], None] | None
    limits: Limits


class LocalExecutor:
    """As many tasks at once as their threads have cores; each runs in a process of its own."""

    def __init__(self, cores: int, name: str = "worker") -> None:
        self.cores = cores
        self._name = name
        self._drivers = ThreadPoolExecutor(max_workers=cores, thread_name_prefix=name)
        self._changed = threading.Condition()
        self._free = cores
        self._idle: list[_Worker] = []
        self._busy: dict[Future[Any], _Worker] = {}
        self._unwanted: set[Future[Any]] = set()
        """Cancelled after they began, before their worker was there to be killed."""
        self._open: set[Future[Any]] = set()
        self._closed = False

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        threads: int = 1,
        report: Callable[[Any], None] | None = None,
        limits: Limits = NO_LIMITS,
        **kwargs: Any,
    ) -> Future[Any]:
        """See `Executor.submit`."""
        future: Future[Any] = Future()
        task = _Task(future, function, args, kwargs, min(threads, self.cores), report, limits)
        with self._changed:
            if self._closed:
                future.cancel()
                return future
            self._open.add(future)
            self._drivers.submit(self._drive, task)
        return future

    def cancel(self, future: Future[Any]) -> None:
        """See `Executor.cancel`."""
        with self._changed:
            if future.cancel() or future.done():
                return
            worker = self._busy.get(future)
            if worker is None:
                self._unwanted.add(future)
            else:  # under the lock, so that the worker has no other task yet
                worker.cancelled = True
                worker.kill()

    def shutdown(self) -> None:
        """See `Executor.shutdown`."""
        with self._changed:
            self._closed = True
            for worker in (*self._idle, *self._busy.values()):
                worker.cancelled = True
                worker.kill()
            self._idle.clear()
            self._changed.notify_all()
        self._drivers.shutdown(wait=True, cancel_futures=True)
        for future in list(self._open):  # never begun
            if future.cancel():
                future.set_running_or_notify_cancel()  # wakes whoever waits for it

    def _drive(self, task: _Task) -> None:
        """In a thread of its own: wait for cores, hand the task to a worker, follow it to its end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free >= task.threads)
            if self._closed:
                task.future.cancel()
                return
            self._free -= task.threads
        try:
            if task.future.set_running_or_notify_cancel():
                self._run(task)
        finally:
            with self._changed:
                self._free += task.threads
                self._open.discard(task.future)
                self._changed.notify_all()

    def _run(self, task: _Task) -> None:
        worker = None
        try:
            worker = self._take(task.future)
            value = worker.call(task)
        except BaseException as error:
            self._give_back(task.future, worker)
            task.future.set_exception(error)
        else:
            self._give_back(task.future, worker)
            task.future.set_result(value)

    def _take(self, future: Future[Any]) -> _Worker:
        with self._changed:
            worker = self._idle.pop() if self._idle else None
        while worker is not None and not worker.is_fit():
            worker.kill()
            with self._changed:
                worker = self._idle.pop() if self._idle else None
        worker = worker or _Worker(self._name)
        with self._changed:
            if self._closed or future in self._unwanted:
                self._unwanted.discard(future)
                worker.kill()
                raise CancelledError
            self._busy[future] = worker
        return worker

    def _give_back(self, future: Future[Any], worker: _Worker | None) -> None:
        with self._changed:
            self._busy.pop(future, None)
            if worker is not None and not self._closed and worker.is_fit():
                self._idle.append(worker)
                return
        if worker is not None:
            worker.kill()


def _quieten_tracker() -> None:
    """A worker that is killed gives back no semaphores; Python's tracker does that, and need not speak of it."""
    option = "ignore:resource_tracker"  # inherited by the tracker, which the first worker starts
    if option not in sys.warnoptions:
        sys.warnoptions.append(option)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        lifeline, self._lifeline = context.Pipe(duplex=False)
        self._process = context.Process(target=_serve, args=(theirs, lifeline), name=name, daemon=True)
        _quieten_tracker()
        self._process.start()
        theirs.close()
        lifeline.close()
        self.cancelled = False

    def is_fit(self) -> bool:
        """Whether it can take another task."""
        return self._process.is_alive() and not self.cancelled and self._bytes() < GROWN_SHARE * _memory()

    def call(self, task: _Task) -> Any:
        """Run the task to its end, passing on what it reports."""
        try:
            self._pipe.send((task.function, task.args, task.kwargs, task.report is not None))
        except OSError as error:
            raise self._ended() from error
        deadline = time.monotonic() + task.limits.seconds if task.limits.seconds else None
        while True:
            kind, value = self._receive(deadline, task.limits)
            if kind == "report" and task.report is not None:
                task.report(value)
            elif kind == "result":
                return value
            elif kind == "error":
                raise TaskFailed(*value)

    def _receive(self, deadline: float | None, limits: Limits) -> tuple[Literal["report", "result", "error"], Any]:
        try:
            while not self._pipe.poll(POLL_SECONDS):
                if deadline is not None and time.monotonic() > deadline:
                    raise WorkerLost(f"it took more than {limits.seconds:g} seconds, which is the limit")
                if limits.bytes is not None and self._bytes() > limits.bytes:
                    raise WorkerLost(f"it took more than {limits.bytes / 2**30:.1f} GiB of memory, which is the limit")
            message: tuple[Literal["report", "result", "error"], Any] = self._pipe.recv()
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


def _memory() -> int:
    return int(psutil.virtual_memory().total)


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"{name}, perhaps out of memory" if name == "SIGKILL" else name
    return f"exit code {code}"


# --- in the worker process ------------------------------------------------------------------------------------------


def _serve(pipe: Connection, lifeline: Connection) -> None:
    """Take tasks from the pipe until it closes. Signals are the parent's business; no parent, no work."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they may reach the whole process group
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    with contextlib.suppress(EOFError):
        while True:
            function, args, kwargs, reports = pipe.recv()
            if reports:
                kwargs["report"] = lambda value: pipe.send(("report", value))
            try:
                message: tuple[str, Any] = ("result", function(*args, **kwargs))
            except Exception as error:
                message = ("error", (type(error).__name__, str(error) or type(error).__name__, _is_users(error)))
            try:
                pipe.send(message)
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                pipe.send(("error", (type(error).__name__, f"its result cannot be sent: {error}", False)))


def _end_with_parent(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)


def _is_users(error: Exception) -> bool:
    from espalier.models.errors import ModelError
    from espalier.search.errors import SpecError

    return isinstance(error, (ModelError, SpecError))
