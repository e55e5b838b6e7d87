"""Jobs that carry what another one found: queued once, and known by the first."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from espalier.app.caps import UNCAPPED, Caps
from espalier.app.work.executors.base import Task, TaskFailed
from espalier.app.work.tasks import validate_spec
from espalier.search.events import TransferEvent
from espalier.search.spec import Budget, JobSpec
from espalier.storage import events, jobs, patterns
from espalier.storage.database import Database
from espalier.storage.room import UNLIMITED, Room
from espalier.storage.tables import JobRow
from tests.app.fakes import FakeExecutor
from tests.app.work.helpers import SPEC, job, make_runner, submit
from tests.search.helpers import planned, question

THERE = {"arch": "vgg16", "dataset": "digits"}
CARRIED = SPEC.model_copy(update={"transfer_to": (THERE, {**THERE, "methods": [{"name": "taylor"}]})})


def told(database: Database, job_id: str) -> list[TransferEvent]:
    with database.session() as session:
        found = [events.event_of(row) for row in events.after(session, job_id, 0, 1000)]
    return [one for one in found if isinstance(one, TransferEvent)]


def test_what_a_job_found_is_carried_to_where_it_is_wanted_once(database: Database, tmp_path: Path) -> None:
    job_id = submit(database, CARRIED)
    runner = make_runner(database, tmp_path)
    assert runner.run_one()
    first, second = (job(database, str(one.job)) for one in told(database, job_id))
    spec = JobSpec.read(first.spec)
    assert (spec.target.arch, spec.methods, spec.budgets) == ("vgg16", (), SPEC.budgets)
    assert [(guide.name, guide.keep, guide.job) for guide in spec.guides] == [("vgg11 digits slimming", (0.1,), job_id)]
    assert [method.name for method in JobSpec.read(second.spec).methods] == ["taylor"]
    assert runner.run_one()
    assert runner.run_one()
    assert not runner.run_one()
    with database.session() as session:
        found = {one.target.arch: one for one in patterns.ranked(session)}
    assert [one.job for one in found["vgg11"].record] == [first.id, second.id]
    assert job(database, first.id).state == job(database, second.id).state == "succeeded"


def test_a_job_that_is_run_again_is_carried_nowhere_twice(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.broken = lambda one: "no" if one.origin.kind == "uniform" and one.seed == 1 else None
    job_id = submit(database, CARRIED)
    assert make_runner(database, tmp_path, executor).run_one()
    with database.session() as session:
        jobs.retry(session, job_id)
        session.execute(sa.update(JobRow).where(JobRow.id != job_id).values(state="cancelled"))
    assert make_runner(database, tmp_path).run_one()
    once, again = (told(database, job_id)[:2], told(database, job_id)[2:])
    assert once == again


def test_what_cannot_be_carried_says_why_and_the_job_has_succeeded(database: Database, tmp_path: Path) -> None:
    class Refusing(FakeExecutor):
        def submit(self, task: Task) -> Future[Any]:
            if task.function is not validate_spec:
                return super().submit(task)
            future: Future[Any] = Future()
            future.set_exception(TaskFailed("SpecError", "the folder is gone", is_users=True))
            return future

    job_id = submit(database, CARRIED)
    assert make_runner(database, tmp_path, Refusing()).run_one()
    assert job(database, job_id).state == "succeeded"
    assert [(one.arch, one.job, one.error) for one in told(database, job_id)] == [
        ("vgg16", None, "the folder is gone")
    ] * 2


def test_what_follows_a_job_may_take_no_more_than_any_other(database: Database, tmp_path: Path) -> None:
    for caps, room, words in (
        (Caps(macs=0.5), UNLIMITED, "this search takes 1 multiply-adds in all, and a job here no more than 0"),
        (UNCAPPED, Room(macs=0.5), "and the most of one token is 0.5"),
    ):
        with database.session() as session:
            wanted = (CARRIED, question(CARRIED), planned(CARRIED))
            job_id = jobs.submit(session, *wanted, submitted_by="ada").id
        assert make_runner(database, tmp_path, None, caps, room).run_one()
        assert job(database, job_id).state == "succeeded"
        assert [words in str(one.error) for one in told(database, job_id)] == [True, True]
        assert [one.job for one in told(database, job_id)] == [None, None]


def test_a_job_that_found_nothing_carries_nothing(database: Database, tmp_path: Path) -> None:
    nothing = CARRIED.model_copy(update={"methods": (), "transfer_to": (THERE,)})
    job_id = submit(database, nothing)
    assert make_runner(database, tmp_path).run_one()
    assert [one.error for one in told(database, job_id)] == [
        "no pattern was found: none of the methods that leave one has a result"
    ]


def test_more_patterns_than_a_job_may_follow_are_no_reason_to_fail(database: Database, tmp_path: Path) -> None:
    """A spec of before the limit was looked at."""
    budgets = tuple(Budget(metric="params", keep=0.1 + i / 100) for i in range(65))
    job_id = submit(database, CARRIED.model_copy(update={"budgets": budgets[:64], "transfer_to": (THERE,)}))
    assert make_runner(database, tmp_path).run_one()
    assert [bool(one.job) for one in told(database, job_id)] == [True]
    methods = ({"name": "slimming"}, {"name": "taylor"})
    more = CARRIED.model_copy(update={"budgets": budgets[:33], "methods": methods, "transfer_to": (THERE,)})
    job_id = submit(database, more)
    while job(database, job_id).state == "queued":
        assert make_runner(database, tmp_path).run_one()
    assert job(database, job_id).state == "succeeded"
    assert [one.error for one in told(database, job_id)] == [
        "Tuple should have at most 64 items after validation, not 66"
    ]


def test_a_library_that_cannot_be_written_is_no_reason_to_fail(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr("espalier.app.work.runner.patterns.remember", broken)
    job_id = submit(database)
    assert make_runner(database, tmp_path).run_one()
    assert job(database, job_id).state == "succeeded"
    assert "what it found is not in the library" in caplog.text
