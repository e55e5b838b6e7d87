"""Worker processes: warm, counted in cores, and gone when they must be."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, wait
from pathlib import Path

import psutil
import pytest

from espalier.app.work.executors.base import Limits, Task, TaskFailed, WorkerLost
from espalier.app.work.executors.local import LocalExecutor
from tests.app.work.executors import work


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    executor = LocalExecutor(2)
    yield executor
    executor.shutdown()


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_results_come_back(executor: LocalExecutor) -> None:
    assert [f.result(20) for f in [executor.submit(Task(work.double, (i,))) for i in range(5)]] == [0, 2, 4, 6, 8]


def test_workers_stay_warm(executor: LocalExecutor) -> None:
    assert len({executor.submit(Task(work.pid)).result(20) for _ in range(4)}) == 1


def test_reports_arrive_in_order_before_the_result(executor: LocalExecutor) -> None:
    seen: list[int] = []
    assert executor.submit(Task(work.count, (100,), report=seen.append)).result(20) == 100
    assert seen == list(range(100))


def test_tasks_take_the_cores_their_threads_need(executor: LocalExecutor, tmp_path: Path) -> None:
    first = executor.submit(Task(work.sleep, (30, tmp_path / "first"), threads=2))
    until((tmp_path / "first").exists)
    second = executor.submit(Task(work.sleep, (30, tmp_path / "second")))
    time.sleep(0.5)
    assert not (tmp_path / "second").exists()
    executor.cancel(first)
    until((tmp_path / "second").exists)
    executor.cancel(second)


def test_an_error_says_what_it_was_and_whose(executor: LocalExecutor) -> None:
    for kind, users in (("spec", True), ("other", False)):
        with pytest.raises(TaskFailed) as caught:
            executor.submit(Task(work.fail, (kind,))).result(20)
        assert caught.value.is_users is users
    assert (caught.value.kind, str(caught.value)) == ("RuntimeError", "it was us")
    with pytest.raises(TaskFailed, match="1 and 2"):
        executor.submit(Task(work.fail_oddly)).result(20)


def test_a_result_that_cannot_be_sent_is_an_error_not_a_hang(executor: LocalExecutor) -> None:
    with pytest.raises(TaskFailed, match="its result cannot be sent"):
        executor.submit(Task(work.odd_result)).result(20)
    assert executor.submit(Task(work.double, (1,))).result(20) == 2


def test_a_worker_that_dies_is_replaced(executor: LocalExecutor) -> None:
    with pytest.raises(WorkerLost, match="SIGKILL, perhaps out of memory"):
        executor.submit(Task(work.die)).result(20)
    with pytest.raises(WorkerLost, match="exit code 3"):
        executor.submit(Task(work.leave)).result(20)
    assert executor.submit(Task(work.double, (4,))).result(20) == 8


def test_cancelling_ends_the_process(executor: LocalExecutor, tmp_path: Path) -> None:
    future = executor.submit(Task(work.sleep, (60, tmp_path / "mark")))
    until(lambda: (tmp_path / "mark").exists() and bool((tmp_path / "mark").read_text()))
    process = int((tmp_path / "mark").read_text())
    executor.cancel(future)
    assert not psutil.pid_exists(process)
    with pytest.raises(CancelledError):
        future.result(5)
    assert executor.submit(Task(work.double, (4,))).result(20) == 8


def test_cancelling_what_waits_never_starts_it(executor: LocalExecutor, tmp_path: Path) -> None:
    running = [executor.submit(Task(work.sleep, (60,))) for _ in range(2)]
    waiting = executor.submit(Task(work.sleep, (0, tmp_path / "mark")))
    executor.cancel(waiting)
    for future in running:
        executor.cancel(future)
    assert waiting.cancelled()
    assert executor.submit(Task(work.double, (1,))).result(20) == 2
    assert not (tmp_path / "mark").exists()


def test_limits_of_time_and_memory(executor: LocalExecutor) -> None:
    with pytest.raises(WorkerLost, match=r"more than 0\.5 seconds"):
        executor.submit(Task(work.sleep, (60,), limits=Limits(seconds=0.5))).result(20)
    with pytest.raises(WorkerLost, match="GiB of memory"):
        executor.submit(Task(work.swallow, (2**29,), limits=Limits(bytes=2**28))).result(20)


def test_shutting_down_leaves_no_process(tmp_path: Path) -> None:
    executor = LocalExecutor(2)
    futures = [executor.submit(Task(work.sleep, (60, tmp_path / str(i)))) for i in range(4)]
    until(lambda: all((tmp_path / str(i)).exists() for i in range(2)))
    executor.shutdown()
    wait(futures, 5)
    assert all(future.done() for future in futures)
    mine = psutil.Process()
    assert not [child for child in mine.children() if child.name().startswith("worker")]


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """Killed with SIGKILL, in the middle of a task: nobody is left to clean up, and nothing is left."""
    code = (
        "from pathlib import Path\n"
        "from espalier.app.work.executors.base import Task\n"
        "from espalier.app.work.executors.local import LocalExecutor\n"
        "from tests.app.work.executors import work\n"
        "if __name__ == '__main__':\n"
        f"    LocalExecutor(1).submit(Task(work.sleep, (60, Path({str(tmp_path / 'mark')!r})))).result()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[4])
    until(lambda: (tmp_path / "mark").exists() and bool((tmp_path / "mark").read_text()))
    worker = psutil.Process(int((tmp_path / "mark").read_text()))
    parent.kill()
    parent.wait()
    worker.wait(5)


def test_a_task_never_asks_for_more_cores_than_there_are(executor: LocalExecutor) -> None:
    assert executor.submit(Task(work.double, (2,), threads=100)).result(20) == 4


def test_nothing_is_taken_after_the_end() -> None:
    executor = LocalExecutor(1)
    waiting = [executor.submit(Task(work.sleep, (60,))) for _ in range(3)]
    executor.shutdown()
    assert all(future.done() for future in waiting)
    assert executor.submit(Task(work.double, (1,))).cancelled()
    executor.shutdown()


def test_what_has_ended_can_be_cancelled_without_harm(executor: LocalExecutor) -> None:
    done = executor.submit(Task(work.double, (1,)))
    assert done.result(20) == 2
    executor.cancel(done)
    assert executor.submit(Task(work.pid)).result(20) == executor.submit(Task(work.pid)).result(20)


def test_each_gpu_has_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As workers see them; nothing is computed there."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    executor = LocalExecutor(4)
    try:
        assert (executor.widest, executor.slots(1, True), executor.slots(2, True)) == (2, 4, 2)
        tasks = [Task(work.sees, (tmp_path / str(i),), threads=1, on_gpu=True) for i in range(4)]
        running = [executor.submit(task) for task in tasks]
        until(lambda: len([*tmp_path.iterdir()]) == 4)
        (tmp_path / "go").touch()
        assert sorted(future.result(30) for future in running) == ["3", "3", "5", "5"]
        again = executor.submit(Task(work.sees, (tmp_path / "4",), threads=2, on_gpu=True))
        assert again.result(30) in ("3", "5")
    finally:
        executor.shutdown()


def test_one_gpu_is_seen_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    executor = LocalExecutor(2)
    (tmp_path / "go").touch()
    try:
        assert (executor.widest, executor.slots(1, True)) == (2, 2)
        assert executor.submit(Task(work.sees, (tmp_path / "one",))).result(30) == "7"
    finally:
        executor.shutdown()
