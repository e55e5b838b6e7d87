"""Worker processes on this machine: spawned, kept warm (importing torch takes seconds), and replaced when they end."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from espalier.app.work.executors.base import Task
from espalier.app.work.executors.worker import Worker
from espalier.search.machine import cores, gpus


class _Given(NamedTuple):
    """A task that was handed in, and where its outcome is waited for."""

    future: Future[Any]
    task: Task


class LocalExecutor:
    """As many tasks at once as their threads have cores; each runs in a process of its own."""

    def __init__(self, most: int | None = None, name: str = "worker") -> None:
        self._cores, self._gpus = most or cores(), gpus()
        self._name = name
        self._drivers = ThreadPoolExecutor(max_workers=self._cores, thread_name_prefix=name)
        self._changed = threading.Condition()
        self._free = self._cores
        self._idle: list[Worker] = []
        self._busy: dict[Future[Any], Worker] = {}
        self._taken = dict.fromkeys(self._gpus if len(self._gpus) > 1 else [None], 0)
        """How many threads use each GPU; None: the only one, or none at all."""
        self._unwanted: set[Future[Any]] = set()
        """Cancelled after they began, before their worker was there to be killed."""
        self._open: set[Future[Any]] = set()
        self._closed = False

    @property
    def widest(self) -> int:
        """See `Executor.widest`."""
        return max(1, self._cores // max(1, len(self._gpus)))

    def slots(self, threads: int, on_gpu: bool) -> int:  # noqa: ARG002  (cores come with GPUs)
        """See `Executor.slots`."""
        return max(1, self._cores // threads)

    def submit(self, task: Task) -> Future[Any]:
        """See `Executor.submit`."""
        given = _Given(Future(), task._replace(threads=min(task.threads, self._cores)))
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
        while self._open:  # never begun
            future = self._open.pop()
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
            gpu = min(self._taken, key=lambda one: self._taken[one])
            self._taken[gpu] += threads
        try:
            if given.future.set_running_or_notify_cancel():
                self._run(given, gpu)
        finally:
            with self._changed:
                self._free += threads
                self._taken[gpu] -= threads
                self._open.discard(given.future)
                self._changed.notify_all()

    def _run(self, given: _Given, gpu: str | None) -> None:
        worker = None
        try:
            worker = self._take(given.future, gpu)
            value = worker.call(given.task)
        except BaseException as error:
            self._give_back(given.future, worker)
            given.future.set_exception(error)
        else:
            self._give_back(given.future, worker)
            given.future.set_result(value)

    def _take(self, future: Future[Any], gpu: str | None) -> Worker:
        while (worker := self._idle_one(gpu)) is not None and not worker.is_fit():
            worker.kill()
        worker = worker or Worker(self._name, gpu)
        with self._changed:
            if self._closed or future in self._unwanted:
                self._unwanted.discard(future)
                worker.kill()
                raise CancelledError
            self._busy[future] = worker
        return worker

    def _idle_one(self, gpu: str | None) -> Worker | None:
        with self._changed:
            worker = next((one for one in self._idle if one.gpu == gpu), None)
            if worker is not None:
                self._idle.remove(worker)
        return worker

    def _give_back(self, future: Future[Any], worker: Worker | None) -> None:
        with self._changed:
            self._busy.pop(future, None)
            if worker is not None and not self._closed and worker.is_fit():
                self._idle.append(worker)
                return
        if worker is not None:
            worker.kill()
