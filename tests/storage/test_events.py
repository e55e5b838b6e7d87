"""Events: what is written is read, whatever kind it is, and those of the first release are, too."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from espalier.search.events import (
    CandidateFailed,
    CandidateFinished,
    CandidateStarted,
    EpochEvent,
    Event,
    ExtendedEvent,
    StateEvent,
)
from espalier.search.spec import Budget, Extension
from espalier.search.states import JobState
from espalier.storage import events, jobs
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.tables import EventRow
from tests.storage.helpers import submit

WHO = {"candidate": "k", "label": "dense seed 0"}
EVENTS: list[Event] = [
    *(StateEvent(state=state) for state in JobState),
    StateEvent(state=JobState.RUNNING, attempt=2),
    StateEvent(state=JobState.FAILED, error="no verdict is left to give"),
    CandidateStarted(**WHO),
    CandidateFinished(**WHO, accuracy=0.5, seconds=1.5),
    CandidateFailed(**WHO, error="the loss became nan"),
    ExtendedEvent(added=Extension(baselines=("capped",))),
    ExtendedEvent(added=Extension(seeds=(7, 4))),
    ExtendedEvent(added=Extension(seeds=(5,), budgets=(Budget(metric="params", keep=0.5),))),
    EpochEvent(**WHO, epoch=0, epochs=2, step=7, loss=0.5, accuracy=0.25, metrics={"loss": 0.5, "accuracy": 0.25}),
]


@pytest.fixture
def job_id(database: Database) -> str:
    return submit(database, [])


def test_every_kind_survives_writing_and_reading(database: Database, job_id: str) -> None:
    with database.session() as session:
        for event in EVENTS:
            events.record(session, job_id, event)
    with database.session() as session:
        rows = events.after(session, job_id, 0, 100)
    assert [events.event_of(row) for row in rows] == [StateEvent(state=JobState.QUEUED), *EVENTS]
    assert [row.kind for row in rows[-4:]] == ["extended", "extended", "extended", "epoch"]
    assert all(row.at.tzinfo is not None for row in rows)


def test_seeds_that_were_added_are_known(database: Database, job_id: str) -> None:
    with database.session() as session:
        assert events.added_seeds(session, job_id) == []
        for event in EVENTS:
            events.record(session, job_id, event)
        assert events.added_seeds(session, job_id) == [7, 4, 5]


def test_what_is_not_there_is_not_written(database: Database, job_id: str) -> None:
    with database.session() as session:
        (row,) = events.after(session, job_id, 0, 100)
    assert row.data == {"state": "queued"}


def test_events_are_read_from_a_position_on_and_no_others(database: Database, job_id: str) -> None:
    other = submit(database, [])
    with database.session() as session:
        for event in EVENTS:
            events.record(session, job_id, event)
    with database.session() as session:
        everything = events.after(session, job_id, 0, 100)
        assert [row.id for row in everything] == sorted({row.id for row in everything})
        middle = everything[3].id
        assert [row.id for row in events.after(session, job_id, middle, 2)] == [row.id for row in everything[4:6]]
        assert events.after(session, job_id, everything[-1].id, 2) == []
        assert len(events.after(session, other, 0, 100)) == 1
        assert [row.id for row in events.newest(session, job_id, 3)] == [row.id for row in everything[:-4:-1]]


def test_what_is_rolled_back_was_never_told(database: Database, job_id: str) -> None:
    with pytest.raises(RuntimeError), database.session() as session:
        events.record(session, job_id, StateEvent(state=JobState.RUNNING))
        raise RuntimeError
    with database.session() as session:
        assert len(events.after(session, job_id, 0, 100)) == 1


def test_an_epoch_of_the_first_release_is_read(database: Database, job_id: str) -> None:
    data = {**WHO, "accuracy": 0.25, "epoch": 1, "epochs": 2, "loss": 0.5}
    with database.session() as session:
        session.add(EventRow(job_id=job_id, at=now(), kind="epoch", data=data))
    with database.session() as session:
        event = events.event_of(events.after(session, job_id, 0, 100)[-1])
    assert event == EpochEvent(**data)
    assert isinstance(event, EpochEvent)
    assert (event.step, event.metrics) == (None, {})


def test_an_event_that_nobody_knows_is_an_error(database: Database, job_id: str) -> None:
    del database
    with pytest.raises(ValidationError, match="kind"):
        events.event_of(EventRow(job_id=job_id, at=now(), kind="weather", data={}))


def test_epochs_of_a_job_that_has_ended_are_bounded(
    database: Database, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_EPOCHS", 10)
    with database.session() as session:
        for epoch in range(12):
            for key in ("a", "b"):
                told = {"candidate": key, "label": key, "epoch": epoch, "epochs": 12, "loss": 0.5, "accuracy": 0.25}
                events.record(session, job_id, EpochEvent.model_validate(told))
        lease = jobs.claim(session, "me")
        assert lease is not None
    with database.session() as session:
        jobs.conclude(session, jobs.Lease(job_id, "me", 1), "succeed")
    with database.session() as session:
        rows = events.after(session, job_id, 0, 1000)
        told = [(row.data["candidate"], row.data["epoch"]) for row in rows if row.kind == "epoch"]
    assert told == [(key, epoch) for epoch in (0, 3, 6, 9) for key in ("a", "b")]
    assert [row.kind for row in rows if row.kind != "epoch"] == ["state"] * 3


def test_a_few_epochs_all_stay(database: Database, job_id: str) -> None:
    with database.session() as session:
        for epoch in range(5):
            told = WHO | {"epoch": epoch, "epochs": 5, "loss": 0.5, "accuracy": 0.25}
            events.record(session, job_id, EpochEvent.model_validate(told))
        session.flush()
        events.thin(session, job_id)
    with database.session() as session:
        assert sum(row.kind == "epoch" for row in events.after(session, job_id, 0, 100)) == 5


def test_the_last_change_is_none_of_the_epochs(database: Database, job_id: str) -> None:
    with database.session() as session:
        before = events.last_change(session, job_id)
        events.record(session, job_id, EVENTS[-1])
        session.flush()
        assert events.last_change(session, job_id) == before
        events.record(session, job_id, CandidateFailed(**WHO, error="the loss became nan"))
        session.flush()
        last, count = events.last_change(session, job_id)
    assert last > before[0]
    assert count == before[1] + 1
    with database.session() as session:
        assert events.last_change(session, "nothing") == (0, 0)
