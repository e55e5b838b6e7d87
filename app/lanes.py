"""Lanes of questions to child processes: each has a process of its own, limits, and a line that has an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from espalier.app.work.executors.base import Executor, Limits, OverLimit, Task, WorkerLost

T = TypeVar("T")

LONGEST_LINE = 64
"""Requests that may wait in one lane at once, each in a thread."""


class Busy(Exception):
    """More requests of this kind wait than the service takes."""


class Left(Busy):
    """Who asked has gone."""


REMEMBERED = 60.0
"""Seconds for which the answer to a question that is asked again is the same."""
MOST_REMEMBERED = 64
LOOK_SECONDS = 0.5
"""How often it is looked whether who asked is still there."""
Key = tuple[Any, str]


@dataclass
class _Question:
    """A question that is being answered, and how many wait for that."""

    future: Future[Any]
    waiting: int = 0


def _stays() -> bool:
    return False


class Lane:
    """Questions of one kind, answered one after another. Who asks the same at the same time gets the same answer."""

    def __init__(self, executor: Executor, limits: Limits) -> None:
        self._executor, self._limits = executor, limits
        self._places = threading.BoundedSemaphore(LONGEST_LINE)
        self._lock = threading.Lock()
        self._asked: dict[Key, _Question] = {}
        self._answers: dict[Key, tuple[float, Any]] = {}

    def ask(self, function: Callable[..., T], *args: Any, gone: Callable[[], bool] = _stays) -> T:
        """Run a function in the child process. What nobody waits for any more, since all who asked are `gone`, is given
        up. Raises TaskFailed, WorkerLost, Busy or Left."""
        if not self._places.acquire(blocking=False):
            raise Busy(f"{LONGEST_LINE} requests already wait to be looked at; try again in a moment")
        try:
            try:
                return self._answer(function, args, gone)
            except OverLimit:
                raise
            except WorkerLost:  # killed, perhaps for what an earlier request left in it
                return self._answer(function, args, gone)
        finally:
            self._places.release()

    def remembered(self, function: Callable[..., T], *args: Any, gone: Callable[[], bool] = _stays) -> T:
        """`ask`, but for what was asked a moment ago, which is answered from memory."""
        key, now = (function, repr(args)), time.monotonic()
        with self._lock:
            for old in [one for one, (until, _) in self._answers.items() if until < now]:
                del self._answers[old]
            if key in self._answers:
                found: T = self._answers[key][1]
                return found
        answer = self.ask(function, *args, gone=gone)
        with self._lock:
            if len(self._answers) < MOST_REMEMBERED:
                self._answers[key] = (time.monotonic() + REMEMBERED, answer)
        return answer

    def _answer(self, function: Callable[..., T], args: tuple[Any, ...], gone: Callable[[], bool]) -> T:
        key = (function, repr(args))
        with self._lock:
            question = self._asked.get(key)
            if question is None or question.future.done():
                question = self._asked[key] = _Question(self._submit(function, args))
            question.waiting += 1
        try:
            while not wait([question.future], timeout=LOOK_SECONDS).done:
                if gone():
                    raise Left("who asked has gone")
            answer: T = question.future.result()
            return answer
        finally:
            self._leave(key, question)

    def _leave(self, key: Key, question: _Question) -> None:
        with self._lock:
            question.waiting -= 1
            if question.waiting:
                return
            if self._asked.get(key) is question:
                del self._asked[key]
        if not question.future.done():
            self._executor.cancel(question.future)

    @property
    def waiting(self) -> dict[Key, int]:
        """How many wait for the answer to which question."""
        with self._lock:
            return {key: question.waiting for key, question in self._asked.items()}

    def warm_up(self, function: Callable[[], Any]) -> None:
        """Let the child start and import what it will need; nobody waits for it."""
        self._submit(function, ())

    def _submit(self, function: Callable[..., T], args: tuple[Any, ...]) -> Future[T]:
        return self._executor.submit(Task(function, args, limits=self._limits))

    def close(self) -> None:
        """End the child process."""
        self._executor.shutdown()
