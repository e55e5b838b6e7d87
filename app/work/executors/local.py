"""Worker processes on this machine: spawned, kept warm (importing torch takes seconds), and replaced when they end."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from espalier.app.work.executors.base import Task
from espalier.app.work.executors.worker import Worker


class _Given(NamedTuple):
    """A task that was handed in, and where its outcome is waited for."""

    future: Future[Any]
    task: Task


class LocalExecutor:
    """As many tasks at once as their threads have cores; each runs in a process of its own."""

    def __init__(self, cores: int, name: str = "worker") -> None:
        self.cores = cores
        self._name = name
        self._drivers = ThreadPoolExecutor(max_workers=cores, thread_name_prefix=name)
        self._changed = threading.Condition()
        self._free = cores
        self._idle: list[Worker] = []
        self._busy: dict[Future[Any], Worker] = {}
        self._unwanted: set[Future[Any]] = set()
        """Cancelled after they began, before their worker was there to be killed."""
        self._open: set[Future[Any]] = set()
        self._closed = False

    def submit(self, task: Task) -> Future[Any]:
        """See `Executor.submit`."""
        given = _Given(Future(), task._replace(threads=min(task.threads, self.cores)))
        with self._changed:
            if self._closed:
                given.future.cancel()
                return given.future
            self._open.add(given.future)
            self._drivers.submit(self._drive, given)
        return given.future

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

    def _drive(self, given: _Given) -> None:
        """In a thread of its own: wait for cores, hand the task to a worker, follow it to its end."""
        threads = given.task.threads
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free >= threads)
            if self._closed:
                given.future.cancel()
                return
            self._free -= threads
        try:
            if given.future.set_running_or_notify_cancel():
                self._run(given)
        finally:
            with self._changed:
                self._free += threads
                self._open.discard(given.future)
                self._changed.notify_all()

    def _run(self, given: _Given) -> None:
        worker = None
        try:
            worker = self._take(given.future)
            value = worker.call(given.task)
        except BaseException as error:
            self._give_back(given.future, worker)
            given.future.set_exception(error)
        else:
            self._give_back(given.future, worker)
            given.future.set_result(value)

    def _take(self, future: Future[Any]) -> Worker:
        with self._changed:
            worker = self._idle.pop() if self._idle else None
        while worker is not None and not worker.is_fit():
            worker.kill()
            with self._changed:
                worker = self._idle.pop() if self._idle else None
        worker = worker or Worker(self._name)
        with self._changed:
            if self._closed or future in self._unwanted:
                self._unwanted.discard(future)
                worker.kill()
                raise CancelledError
            self._busy[future] = worker
        return worker

    def _give_back(self, future: Future[Any], worker: Worker | None) -> None:
        with self._changed:
            self._busy.pop(future, None)
            if worker is not None and not self._closed and worker.is_fit():
                self._idle.append(worker)
                return
        if worker is not None:
            worker.kill()
