"""Workers of a Ray cluster: one machine, or many, with GPUs or without."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from espalier.app.work.executors.base import (
    ExecutorUnusable,
    Limits,
    Message,
    OverLimit,
    Task,
    TaskFailed,
    WorkerLost,
    attempted,
    forget_secrets,
)
from espalier.search.machine import cores

SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Of Ray, where the environment does not say otherwise: who has no token is not let in, and nobody is called."""
POLL_SECONDS, LOOK_SECONDS, CANCEL_SECONDS = 0.2, 10.0, 30.0
FOLDERS = ("models", "search", "storage", "app")
FINEST = 10_000
"""Parts into which Ray divides a GPU."""
NEEDS = "the executor 'ray' needs Ray: pip install 'espalier-nas[ray]'"


class Machine(NamedTuple):
    """What a machine of a cluster has."""

    cores: int
    gpus: int


class RayExecutor:
    """Tasks of a Ray cluster, each with as many CPUs as it has threads; `RAY_ADDRESS` says which cluster.

    Without an address, one is started on this machine. Ray tries nothing again: what is lost is begun anew by whoever
    asked for it, and the truth about it is in the database. Where a cluster has GPUs, tasks that would use one get as
    much of it as of the cores that come with it.
    """

    def __init__(self, most: int | None = None) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)  # read when it is imported
        try:
            import ray
        except ImportError as error:
            raise ExecutorUnusable(NEEDS) from error
        self._ray: Any = ray  # much of it has no types
        self._most = most
        self._connect()
        self._serve = ray.remote(max_retries=0, num_returns="streaming")(_serve)
        self._changed = threading.Lock()
        self._running: dict[Future[Any], Any] = {}
        self._unwanted: set[Future[Any]] = set()
        self._closed = False

    def _connect(self) -> None:
        said: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "namespace": "espalier"}
        address = os.environ.get("RAY_ADDRESS")
        try:
            if address:
                _look_for(address)
                with _package() as folder:  # uploaded while this connects
                    self._ray.init(**said, runtime_env={"py_modules": [str(folder)]})
            else:
                self._ray.init("local", **said, num_cpus=self._most or cores(), include_dashboard=False)
        except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
            raise ExecutorUnusable(f"no Ray cluster at {address or 'this machine'}: {_why(error)}") from error

    def _machines(self) -> list[Machine]:
        """Those that are there now, as far as this may use them."""
        found = (one["Resources"] for one in self._ray.nodes() if one["Alive"])
        machines = [Machine(int(one.get("CPU", 0)), int(one.get("GPU", 0))) for one in found]
        most = self._most or max((one.cores for one in machines), default=0)
        return [one._replace(cores=min(one.cores, most)) for one in machines if one.cores]

    @property
    def widest(self) -> int:
        """See `Executor.widest`."""
        return _widest(self._machines())

    def slots(self, threads: int, on_gpu: bool) -> int:
        """See `Executor.slots`."""
        machines = self._machines()
        of_a_gpu = max(1, _widest(machines) // threads)
        places = sum(
            min(one.cores // threads, one.gpus * of_a_gpu) if on_gpu else one.cores // threads for one in machines
        )
        return max(1, min(places, (self._most or places * threads) // threads))

    def submit(self, task: Task) -> Future[Any]:
        """See `Executor.submit`."""
        future: Future[Any] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
                return future
            future.set_running_or_notify_cancel()
            try:
                results = self._started(task)
            except Exception as error:  # Ray has many words for a cluster that is gone
                future.set_exception(WorkerLost(_why(error)))
                return future
            self._running[future] = results
        threading.Thread(target=self._follow, args=(future, task, results), daemon=True).start()
        return future

    def _started(self, task: Task) -> Any:
        if not self._ray.is_initialized():
            self._connect()
        machines = self._machines()
        widest = max(1, _widest(machines))
        threads = min(task.threads, widest)
        wants: dict[str, float] = {"num_cpus": threads}
        if task.on_gpu and any(one.gpus for one in machines):
            wants["num_gpus"] = math.floor(FINEST / (widest // threads)) / FINEST
        sent = (task.function, task.args, dict(task.kwargs), task.report is not None, task.limits)
        return self._serve.options(**wants).remote(*sent)

    def cancel(self, future: Future[Any]) -> None:
        """See `Executor.cancel`."""
        with self._changed:
            results = self._running.get(future)
            if results is None:
                return
            self._unwanted.add(future)
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.cancel(results, force=True)
        with contextlib.suppress(Exception):  # it is over, however
            future.exception(CANCEL_SECONDS)

    def shutdown(self) -> None:
        """See `Executor.shutdown`."""
        with self._changed:
            self._closed = True
        for future in list(self._running):
            self.cancel(future)
        self._ray.shutdown()

    def _follow(self, future: Future[Any], task: Task, results: Any) -> None:
        """In a thread of its own: pass on what a task tells, to its end."""
        try:
            value = self._heard(task, results)
        except Exception as error:
            with self._changed:
                was_cancelled = future in self._unwanted
            with contextlib.suppress(Exception):  # whatever was not heard right is not to go on by itself
                self._ray.cancel(results, force=True)
            self._forget(future)
            future.set_exception(CancelledError() if was_cancelled else _as_lost(error))
        else:
            self._forget(future)
            future.set_result(value)

    def _heard(self, task: Task, results: Any) -> Any:
        for one in results:
            kind, value = self._ray.get(one)
            if kind == "report" and task.report is not None:
                task.report(value)
            elif kind == "result":
                return value
            elif kind == "error":
                raise TaskFailed(*value)
            elif kind == "over":
                self._ray.cancel(results, force=True)
                raise OverLimit(value)
        raise WorkerLost("its process ended without a word")

    def _forget(self, future: Future[Any]) -> None:
        with self._changed:
            self._running.pop(future, None)
            self._unwanted.discard(future)


def _widest(machines: Sequence[Machine]) -> int:
    with_gpus = [one.cores // one.gpus for one in machines if one.gpus]
    return max(with_gpus or [one.cores for one in machines], default=0)


def _as_lost(error: Exception) -> Exception:
    return error if isinstance(error, (TaskFailed, WorkerLost)) else WorkerLost(_why(error))


def _why(error: Exception) -> str:
    """What Ray says, without its pages of advice."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"


def _look_for(address: str) -> None:
    """Raise OSError if nobody listens there; Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), LOOK_SECONDS).close()


@contextlib.contextmanager
def _package() -> Iterator[Path]:
    """This package as it is here, to be shipped to machines that have none, or another release."""
    root = Path(__file__).parents[3]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "espalier"
        for name in FOLDERS:
            shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        yield copy


# --- in the worker process ------------------------------------------------------------------------------------------


def _serve(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], reports: bool, limits: Limits
) -> Iterator[Message]:
    """Run a function in a thread, and yield what it reports and what came of it."""
    forget_secrets()
    told: queue.SimpleQueue[Message] = queue.SimpleQueue()
    given = {**kwargs, "report": lambda value: told.put(("report", value))} if reports else kwargs
    started, me = time.monotonic(), psutil.Process()
    threading.Thread(target=lambda: told.put(attempted(function, args, given)), daemon=True).start()
    while True:
        try:
            message = told.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if words := limits.exceeded_by(time.monotonic() - started, me.memory_info().rss):
                yield "over", words
                time.sleep(CANCEL_SECONDS)  # until whoever hears it ends this process, with its thread
                os._exit(1)
            continue
        yield message
        if message[0] != "report":
            return
