"""What an executor is given and gives back; and what every executor promises, which a new one inherits."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from espalier.app.work.executors import EXECUTORS
from espalier.app.work.executors.base import Executor, Limits, Task, TaskFailed, WorkerLost
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


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = EXECUTORS[request.param](2)
    yield executor
    executor.shutdown()


def test_it_has_cores_and_gives_results_in_futures(executor: Executor) -> None:
    assert executor.cores >= 1
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


def test_it_stops_a_running_task_and_goes_on(executor: Executor, tmp_path: Path) -> None:
    future = executor.submit(Task(work.sleep, (60, tmp_path / "began")))
    while not (tmp_path / "began").exists():
        time.sleep(0.02)
    executor.cancel(future)
    with pytest.raises(CancelledError):
        future.result(30)
    assert executor.submit(Task(work.double, (1,))).result(60) == 2
