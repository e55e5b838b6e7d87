"""What an executor is given and gives back; and what every executor promises, which a new one inherits."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest

from espalier.app.work.executors import EXECUTORS
from espalier.app.work.executors.base import (
    SECRETS,
    Executor,
    Limits,
    OverLimit,
    Task,
    TaskFailed,
    WorkerLost,
    attempted,
    forget_secrets,
)
from tests.app.work.executors import work


def test_a_task_needs_no_more_than_a_function() -> None:
    task = Task(work.double)
    assert (task.args, dict(task.kwargs), task.threads, task.report, task.limits) == ((), {}, 1, None, Limits())
    assert Limits() == (None, None), "without limit"


@pytest.mark.parametrize("is_users", [True, False])
def test_a_failure_says_what_it_was_and_whose(is_users: bool) -> None:
    error = TaskFailed("SpecError", "no such method", is_users)
    assert (error.kind, str(error), error.is_users) == ("SpecError", "no such method", is_users)


def test_a_lost_worker_says_why() -> None:
    assert str(WorkerLost("its process ended (SIGKILL)")) == "its process ended (SIGKILL)"


def test_what_is_sent_with_a_task_can_be_pickled() -> None:
    sent = pickle.loads(pickle.dumps(Task(work.double, (2,), {"a": 1}, 3, None, Limits(1.0, 2))))
    assert sent == Task(work.double, (2,), {"a": 1}, 3, None, Limits(1.0, 2))


def test_limits_say_what_exceeds_them() -> None:
    limits = Limits(seconds=2.5, bytes=2**30)
    assert limits.exceeded_by(2.5, 2**30) == ""
    assert limits.exceeded_by(2.6, 0) == "it took more than 2.5 seconds, which is the limit"
    assert limits.exceeded_by(0, 2**30 + 1) == "it took more than 1.0 GiB of memory, which is the limit"
    assert Limits().exceeded_by(1e9, 2**60) == ""


def test_what_came_of_a_function_is_told_without_its_error() -> None:
    assert attempted(work.double, (2,), {}) == ("result", 4)
    assert attempted(work.fail, ("spec",), {}) == ("error", ("SpecError", "it was you", True))
    assert attempted(work.fail_oddly, (), {}) == ("error", ("Unsendable", "1 and 2", False))


def test_secrets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "s3cret")
    forget_secrets()
    assert not {*SECRETS} & {*os.environ}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.alone] * (name == "ray")) for name in EXECUTORS]
)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        request.getfixturevalue("ray_settings")
    executor = EXECUTORS[request.param](2)
    yield executor
    executor.shutdown()


def test_it_has_cores_and_gives_results_in_futures(executor: Executor) -> None:
    assert 1 <= executor.widest <= 2
    assert [executor.slots(threads, False) for threads in (1, 2, 3)] == [executor.widest, 1, 1]
    assert [future.result(60) for future in [executor.submit(Task(work.double, (i,))) for i in range(3)]] == [0, 2, 4]


def test_a_task_that_wants_more_cores_than_there_are_runs(executor: Executor) -> None:
    assert executor.submit(Task(work.double, (3,), threads=1000)).result(60) == 6


def test_it_passes_on_reports_before_the_result(executor: Executor) -> None:
    seen: list[int] = []
    assert executor.submit(Task(work.count, (5,), report=seen.append)).result(60) == 5
    assert seen == [0, 1, 2, 3, 4]


def test_it_says_what_failed_and_whose_fault_it_was(executor: Executor) -> None:
    with pytest.raises(TaskFailed, match="it was you") as caught:
        executor.submit(Task(work.fail, ("spec",))).result(60)
    assert caught.value.is_users


def test_a_worker_that_dies_is_lost_and_replaced(executor: Executor) -> None:
    for function in (work.die, work.leave):
        with pytest.raises(WorkerLost):
            executor.submit(Task(function)).result(60)
    assert executor.submit(Task(work.double, (4,))).result(60) == 8


def test_it_keeps_to_limits(executor: Executor) -> None:
    with pytest.raises(OverLimit, match=r"more than 0\.5 seconds"):
        executor.submit(Task(work.sleep, (60,), limits=Limits(seconds=0.5))).result(60)
    with pytest.raises(OverLimit, match="GiB of memory"):
        executor.submit(Task(work.swallow, (2**29,), limits=Limits(bytes=2**28))).result(60)


def test_its_workers_know_no_secrets(executor: Executor) -> None:
    assert executor.submit(Task(work.environment)).result(60) & {*SECRETS} == set()


def test_it_stops_a_running_task_and_goes_on(executor: Executor, tmp_path: Path) -> None:
    future = executor.submit(Task(work.sleep, (60, tmp_path / "began")))
    while not ((tmp_path / "began").exists() and (tmp_path / "began").read_text()):
        time.sleep(0.02)
    process = int((tmp_path / "began").read_text())
    executor.cancel(future)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(process):
        assert time.monotonic() < deadline, "its process goes on"
        time.sleep(0.02)
    with pytest.raises(CancelledError):
        future.result(30)
    assert executor.submit(Task(work.double, (1,))).result(60) == 2


def test_nothing_is_taken_after_the_end(executor: Executor) -> None:
    running = executor.submit(Task(work.sleep, (60,)))
    executor.shutdown()
    assert running.done()
    assert executor.submit(Task(work.double, (1,))).cancelled()
