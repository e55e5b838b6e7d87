"""What may be queued."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from espalier.storage import jobs
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.errors import TooManyQueued
from espalier.storage.room import UNLIMITED, Room, asked_for
from espalier.storage.tables import GrantRow, JobRow
from tests.search.helpers import planned, question
from tests.storage.helpers import SPEC, submit


def test_so_many_jobs_wait_and_no_more(database: Database) -> None:
    submit(database, room=Room(queued=1))
    with pytest.raises(TooManyQueued, match="1 jobs wait, the most this service takes is 1"):
        submit(database, room=Room(queued=1))
    submit(database, room=UNLIMITED)


def test_of_one_token_paused_jobs_count_too_and_those_of_others_do_not(database: Database) -> None:
    room = Room(own=2)
    for whose in ("ada", "ada", "bob", None, None, None):
        job_id = submit(database, room=room, submitted_by=whose)
        if whose == "ada":
            with database.session() as session:
                jobs.pause(session, job_id)
    with pytest.raises(TooManyQueued, match="2 jobs of ada wait, the most of one token is 2"):
        submit(database, room=room, submitted_by="ada")
    submit(database, room=room, submitted_by="bob")


def test_a_token_asks_for_so_much_compute_in_a_day(database: Database) -> None:
    room = Room(macs=100.0)
    first = submit(database, room=room, submitted_by="ada", macs=60.0)
    submit(database, room=room, submitted_by="bob", macs=60.0)
    submit(database, room=room, submitted_by=None, macs=1000.0)
    with pytest.raises(TooManyQueued, match=r"within a day take 60 multiply-adds, this one 41 more, .* token is 100"):
        submit(database, room=room, submitted_by="ada", macs=41.0)
    submit(database, room=room, submitted_by="ada", macs=40.0)
    with database.session() as session:
        jobs.cancel(session, first)
    with database.session() as session:
        jobs.delete(session, first)
    with pytest.raises(TooManyQueued):  # a job that is deleted was asked for nevertheless
        submit(database, room=room, submitted_by="ada", macs=41.0)
    with database.session() as session:
        session.execute(sa.update(GrantRow).values(at=now() - timedelta(hours=25)))
    submit(database, room=room, submitted_by="ada", macs=99.0)


def test_who_retries_or_extends_needs_room_as_who_submits(database: Database) -> None:
    job_id = submit(database, submitted_by="ada", macs=10.0)
    with database.session() as session:
        jobs.cancel(session, job_id)
    other = submit(database)
    full, empty = Room(queued=1), Room(macs=15.0)
    with database.session() as session, pytest.raises(TooManyQueued):
        jobs.retry(session, job_id, full)
    with database.session() as session:
        job, more = jobs.get(session, job_id), SPEC.model_copy(update={"seeds": (0, 1)})
        wanted = (job, more, question(more), planned(more))
        with pytest.raises(TooManyQueued):
            jobs.extend(session, *wanted, full, 12.0)
        with pytest.raises(TooManyQueued, match="this one 6 more"):
            jobs.extend(session, *wanted, empty, 16.0)
        jobs.extend(session, *wanted, empty, 15.0)
        assert asked_for(session, job_id) == 15.0
    with database.session() as session:
        jobs.cancel(session, other)
        jobs.cancel(session, job_id)
    with database.session() as session:
        assert jobs.retry(session, job_id, full).state == "queued"


def test_an_extension_counts_on_its_own_day(database: Database) -> None:
    room = Room(macs=20.0)
    job_id = submit(database, submitted_by="ada", macs=10.0)
    with database.session() as session:
        jobs.cancel(session, job_id)
        session.execute(sa.update(JobRow).values(created_at=now() - timedelta(days=2)))
        session.execute(sa.update(GrantRow).values(at=now() - timedelta(days=2)))
    for seeds, macs in (((0, 1), 25.0), ((0, 1, 2), 31.0)):
        more = SPEC.model_copy(update={"seeds": seeds})
        with database.session() as session:
            wanted = (jobs.get(session, job_id), more, question(more), planned(more), room, macs)
            if macs == 25.0:
                jobs.extend(session, *wanted)
                jobs.cancel(session, job_id)
            else:
                with pytest.raises(TooManyQueued, match="take 15 multiply-adds, this one 6 more"):
                    jobs.extend(session, *wanted)


def test_of_many_at_once_no_more_come_in_than_there_is_room_for(database: Database) -> None:
    room, refused = Room(own=2, macs=100.0), list[str]()

    def ask(_number: int) -> None:
        try:
            submit(database, room=room, submitted_by="ada", macs=40.0)
        except TooManyQueued as error:
            refused.append(str(error))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(8)))
    assert len(refused) == 6
