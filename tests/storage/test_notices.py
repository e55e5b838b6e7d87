"""Ends of jobs that somebody is to be told of: one for every end, there until it was told, nobody's twice at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from espalier.search.states import JobState
from espalier.storage import jobs, notices
from espalier.storage.database import Database
from espalier.storage.jobs import Lease
from espalier.storage.tables import JobRow, NoticeRow
from tests.storage.helpers import submit


@pytest.fixture
def job_id(database: Database) -> str:
    """A job that has an address."""
    return with_address(database)


def with_address(database: Database) -> str:
    id = submit(database, [])
    with database.session() as session:
        job = jobs.get(session, id)
        job.spec = job.spec | {"webhook": "https://hooks.example.com/x"}
    return id


def waiting(database: Database) -> list[tuple[str, str]]:
    with database.session() as session:
        return [(row.job_id, row.state) for row in session.scalars(sa.select(NoticeRow).order_by(NoticeRow.id))]


def pass_time(database: Database, by: timedelta) -> None:
    with database.session() as session:
        for row in session.scalars(sa.select(NoticeRow)):
            row.due_at -= by


@pytest.mark.parametrize("verb", ["succeed", "fail", "cancel"])
def test_an_end_is_noted_with_the_end_itself(database: Database, job_id: str, verb: str) -> None:
    with database.session() as session:
        jobs.claim(session, "me")
    assert waiting(database) == []
    with database.session() as session:
        jobs.conclude(session, Lease(job_id, "me", 1), verb)
    state = {"succeed": "succeeded", "fail": "failed", "cancel": "cancelled"}[verb]
    assert waiting(database) == [(job_id, state)]


def test_so_is_one_that_waited_and_is_cancelled_but_no_rest(database: Database, job_id: str) -> None:
    with database.session() as session:
        jobs.pause(session, job_id)
    assert waiting(database) == []
    with database.session() as session:
        jobs.cancel(session, job_id)
    assert waiting(database) == [(job_id, JobState.CANCELLED)]


def test_a_job_without_an_address_is_told_to_nobody(database: Database) -> None:
    id = submit(database, [])
    with database.session() as session:
        jobs.cancel(session, id)
    assert waiting(database) == []


def test_what_is_claimed_is_nobody_elses_for_a_moment(database: Database, job_id: str) -> None:
    with database.session() as session:
        jobs.cancel(session, job_id)
    with database.session() as session:
        mine = notices.claim(session)
        assert mine is not None
        assert notices.claim(session) is None
    pass_time(database, notices.HELD)
    with database.session() as session:
        again = notices.claim(session)
        assert again is not None, "who had it was killed"
        assert (again.id, again.attempts) == (mine.id, 2)
        notices.settle(session, again.id)
    assert waiting(database) == []


def test_what_is_not_answered_is_tried_later_and_later_and_then_no_more(database: Database, job_id: str) -> None:
    with database.session() as session:
        jobs.cancel(session, job_id)

    def waits() -> Iterator[timedelta | None]:
        for _ in range(len(notices.LATER) + 1):
            with database.session() as session:
                mine = notices.claim(session)
                assert mine is not None
                wait = notices.postpone(session, mine)
            yield wait
            with database.session() as session:
                assert notices.claim(session) is None
            if wait is not None:
                pass_time(database, wait)

    found = [*waits()]
    assert found == [*notices.LATER, None]
    assert found[:-1] == sorted(notices.LATER)
    assert waiting(database) == []


def test_the_first_that_is_due_comes_first_and_they_go_with_their_job(database: Database, job_id: str) -> None:
    other = with_address(database)
    with database.session() as session:
        for one in (other, job_id):
            jobs.cancel(session, one)
    with database.session() as session:
        first = notices.claim(session)
        assert first is not None
        assert first.job_id == other
        for one in (other, job_id):
            jobs.delete(session, one)
    assert waiting(database) == []
    with database.session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(JobRow)) == 0
