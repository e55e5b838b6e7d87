"""What is silent for long is said, and said again when it has lasted twice as long."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from espalier.app.work import hearing
from espalier.app.work.hearing import PATIENCE, Hearing

ONE, TWO = Future[Any](), Future[Any]()


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(hearing, "time", found)
    return found


def test_silence_is_said_after_some_patience_and_again_after_twice_as_long(clock: Clock) -> None:
    heard, said = Hearing(), []
    heard.hear(ONE)
    for second in range(3 * int(PATIENCE)):
        clock.now = 1000.0 + second
        said += [(future, seconds) for future, seconds in heard.silent([ONE])]
    assert said == [(ONE, PATIENCE + 1), (ONE, 2 * PATIENCE + 3)]


def test_a_sign_ends_a_silence_and_others_go_on(clock: Clock) -> None:
    heard = Hearing()
    heard.hear(ONE)
    heard.hear(TWO)
    clock.now += PATIENCE - 1
    heard.hear(ONE)
    clock.now += 10 * PATIENCE
    assert [future for future, _ in heard.silent([ONE, TWO])] == [ONE, TWO]
    heard.hear(ONE)
    assert [*heard.silent([ONE])] == []


def test_what_gives_signs_seldom_has_ten_times_as_long(clock: Clock) -> None:
    heard = Hearing()
    heard.hear(ONE)
    clock.now += PATIENCE
    heard.hear(ONE)
    clock.now += 9 * PATIENCE
    assert [*heard.silent([ONE])] == []
    clock.now += 2 * PATIENCE
    assert len([*heard.silent([ONE])]) == 1


def test_what_no_longer_runs_is_forgotten(clock: Clock) -> None:
    heard = Hearing()
    heard.hear(ONE)
    assert [*heard.silent([])] == []
    heard.hear(ONE)
    clock.now += PATIENCE + 1
    assert len([*heard.silent([ONE])]) == 1
