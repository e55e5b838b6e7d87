"""One worker process: what it runs, what it may take, and how it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Timer

import psutil
import pytest

from espalier.app.work.executors import worker as workers
from espalier.app.work.executors.base import SECRETS, Limits, Task, TaskFailed, WorkerLost
from espalier.app.work.executors.worker import Worker, total_memory
from tests.app.work.executors import work


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("worker")
    yield worker
    worker.kill()


def test_it_runs_elsewhere_one_task_after_another(worker: Worker) -> None:
    process = worker.call(Task(work.pid))
    assert process != os.getpid()
    assert worker.call(Task(work.pid)) == process
    assert worker.call(Task(work.double, kwargs={"x": 3})) == 6
    assert worker.is_fit()


def test_it_passes_on_what_is_reported(worker: Worker) -> None:
    seen: list[int] = []
    assert worker.call(Task(work.count, (3,), report=seen.append)) == 3
    assert seen == [0, 1, 2]


def test_an_error_leaves_it_fit(worker: Worker) -> None:
    with pytest.raises(TaskFailed, match="it was you") as caught:
        worker.call(Task(work.fail, ("spec",)))
    assert (caught.value.kind, caught.value.is_users) == ("SpecError", True)
    assert worker.is_fit()


def test_a_process_that_ends_makes_it_unfit(worker: Worker) -> None:
    with pytest.raises(WorkerLost, match=r"its process ended \(exit code 3\)"):
        worker.call(Task(work.leave))
    assert not worker.is_fit()
    with pytest.raises(WorkerLost):
        worker.call(Task(work.double, (1,)))


def test_above_its_time_it_is_killed(worker: Worker) -> None:
    process = worker.call(Task(work.pid))
    with pytest.raises(WorkerLost, match=r"it took more than 0\.5 seconds, which is the limit"):
        worker.call(Task(work.sleep, (60,), limits=Limits(seconds=0.5)))
    assert not psutil.pid_exists(process)


def test_killed_because_it_was_cancelled_it_says_so(worker: Worker, tmp_path: Path) -> None:
    def cancel() -> None:
        worker.cancelled = True
        worker.kill()

    assert worker.call(Task(work.double, (1,))) == 2
    timer = Timer(0.3, cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        worker.call(Task(work.sleep, (60, tmp_path / "mark")))
    timer.join()
    assert time.monotonic() - started < 20
    assert not worker.is_fit()


def test_one_that_has_grown_is_not_kept(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker.call(Task(work.double, (1,))) == 2
    assert worker.is_fit()
    monkeypatch.setattr(workers, "total_memory", lambda: 1000)
    assert not worker.is_fit()
    assert total_memory() > 2**28


def test_it_finds_no_secrets_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "s3cret")
    worker = Worker("worker")
    try:
        assert worker.call(Task(work.environment)) & {*SECRETS} == set()
    finally:
        worker.kill()
