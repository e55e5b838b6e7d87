"""Lanes of questions: limits, a line that has an end, and a second try where a process was killed."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from espalier.app.lanes import LONGEST_LINE, Busy, Lane
from espalier.app.work.executors.base import Limits, OverLimit, Task, WorkerLost
from tests.app.fakes import FakeExecutor

LIMITS = Limits(seconds=300, bytes=2**30)


class Held(FakeExecutor):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[Task] = []
        self.futures: list[Future[Any]] = []

    def submit(self, task: Task) -> Future[Any]:
        self.tasks.append(task)
        self.futures.append(Future())
        return self.futures[-1]


def test_a_question_is_asked_under_limits() -> None:
    executor = Held()
    lane = Lane(executor, LIMITS)
    thread = threading.Thread(target=lambda: lane.ask(len, "four"))
    thread.start()
    while not executor.futures:
        thread.join(0.01)
    (task,) = executor.tasks
    assert (task.function, task.args, task.limits) == (len, ("four",), LIMITS)
    executor.futures[0].set_result(4)
    thread.join(5)
    assert not thread.is_alive()


def test_the_line_has_an_end() -> None:
    executor = Held()
    lane = Lane(executor, LIMITS)
    threads = [threading.Thread(target=lambda: lane.ask(len, "")) for _ in range(LONGEST_LINE)]
    for thread in threads:
        thread.start()
    while len(executor.futures) < LONGEST_LINE:
        threads[0].join(0.01)
    with pytest.raises(Busy, match=f"{LONGEST_LINE} requests already wait to be looked at; try again in a moment"):
        lane.ask(len, "")
    for future in executor.futures:
        future.set_result(0)
    for thread in threads:
        thread.join(5)
    executor.submit = FakeExecutor().submit  # type: ignore[method-assign]
    assert lane.ask(len, "four") == 4


def test_nobody_waits_for_a_warm_up() -> None:
    executor = Held()
    Lane(executor, LIMITS).warm_up(int)
    assert [task.function for task in executor.tasks] == [int]


class Dying(FakeExecutor):
    """Loses its process some times."""

    def __init__(self, *problems: Exception) -> None:
        super().__init__()
        self.problems = [*problems]

    def submit(self, task: Task) -> Future[Any]:
        if not self.problems:
            return super().submit(task)
        future: Future[Any] = Future()
        future.set_exception(self.problems.pop(0))
        return future


def test_a_question_whose_process_is_killed_is_asked_once_more() -> None:
    def asked(*problems: Exception) -> int:
        return Lane(Dying(*problems), LIMITS).ask(len, "abc")

    assert asked(WorkerLost("its process ended")) == 3
    with pytest.raises(WorkerLost):
        asked(WorkerLost("its process ended"), WorkerLost("its process ended"))
    with pytest.raises(OverLimit):
        asked(OverLimit("it took more than 300 seconds"))
