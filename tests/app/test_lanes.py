"""Lanes of questions: limits, a line that has an end, and a second try where a process was killed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest

from espalier.app.lanes import LONGEST_LINE, Busy, Lane, Left
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
    threads = [threading.Thread(target=lane.ask, args=(len, " " * n)) for n in range(LONGEST_LINE)]
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


def in_thread(ask: Any, *args: Any, **options: Any) -> tuple[threading.Thread, list[Any]]:
    """Somebody who asks, and what is answered."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(ask(*args, **options))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def until(happens: Any) -> None:
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_asks_the_same_at_the_same_time_gets_the_same_answer() -> None:
    executor = Held()
    lane = Lane(executor, LIMITS)
    asking = [in_thread(lane.ask, len, "four") for _ in range(3)]
    until(lambda: [*lane.waiting.values()] == [3])
    (future,) = executor.futures
    future.set_result(4)
    for thread, found in asking:
        thread.join(5)
        assert found == [4]
    in_thread(lane.ask, len, "four")
    until(lambda: len(executor.futures) == 2)
    executor.futures[1].set_result(4)


def test_what_nobody_waits_for_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espalier.app.lanes.LOOK_SECONDS", 0.01)
    executor = Held()
    lane, left = Lane(executor, LIMITS), threading.Event()
    one, first = in_thread(lane.ask, len, "four", gone=left.is_set)
    other, second = in_thread(lane.ask, len, "four")
    until(lambda: [*lane.waiting.values()] == [2])
    left.set()
    one.join(5)
    assert isinstance(first[0], Left)
    assert not executor.cancelled, "somebody else still waits for it"
    executor.futures[0].set_result(4)
    other.join(5)
    assert second == [4]
    alone, found = in_thread(lane.ask, len, "five!", gone=left.is_set)
    alone.join(5)
    assert isinstance(found[0], Left)
    assert executor.cancelled == [executor.futures[1]]


def test_an_answer_is_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = FakeExecutor()
    lane, asked = Lane(executor, LIMITS), []
    submit = executor.submit
    monkeypatch.setattr(executor, "submit", lambda task: (asked.append(task), submit(task))[1])
    assert [lane.remembered(len, "four") for _ in range(3)] == [4, 4, 4]
    assert lane.remembered(len, "other") == 5
    assert len(asked) == 2
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert lane.remembered(len, "four") == 4
    assert len(asked) == 3
