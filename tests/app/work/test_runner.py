"""The runner: claims, leases, cancellation, restarts, and a word now and then that it lives."""

from __future__ import annotations

import gc
import itertools
import json
import logging
import shutil
import sqlite3
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.orm import Session

from espalier.app.logs import configure
from espalier.app.settings import Settings
from espalier.app.work import runner as runners_module
from espalier.app.work.executors.base import Task, WorkerLost
from espalier.app.work.runner import running
from espalier.app.work.tasks import prepare_job
from espalier.search.candidates import Candidate
from espalier.storage import candidates, events, jobs, runners
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.errors import DatabaseUnusable, NotFound, StoreUnavailable
from espalier.storage.store import LocalStore
from espalier.storage.tables import JobRow
from tests.app.fakes import FakeExecutor
from tests.app.work.helpers import SPEC, front_of, held_run, job, make_runner, states, submit, wait_for
from tests.conftest import CrashingPostgres


def test_no_job_is_no_work(database: Database, tmp_path: Path) -> None:
    assert make_runner(database, tmp_path).run_one() is False


def test_a_runner_that_dies_anywhere_leaves_the_same_front(database: Database, tmp_path: Path) -> None:
    undisturbed = submit(database)
    make_runner(database, tmp_path / "a").run_one()
    expected = front_of(database, undisturbed)
    with database.session() as session:
        session.execute(sa.delete(JobRow))  # so that nothing can be reused

    class Killed(BaseException):
        pass

    job_id, calls = submit(database), iter(range(100))
    for point in range(8):

        def killed_at(_candidate: object, point: int = point) -> None:
            if next(calls) % 3 == 2:
                raise Killed(point)

        executor = FakeExecutor()
        executor.broken = killed_at  # type: ignore[assignment]
        runner = make_runner(database, tmp_path / "b", executor)
        try:
            runner.run_one()
        except Killed:
            with database.session() as session:
                jobs.reclaim(session)
    assert job(database, job_id).state == "succeeded"
    assert job(database, job_id).attempts > 1
    assert front_of(database, job_id) == expected


def test_cancelling_stops_what_runs_and_keeps_what_is_done(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    _, executor, thread = held_run(database, tmp_path)
    wait_for(database, job_id, "uniform", "running")
    wait_for(database, job_id, "dense", "succeeded")
    with database.session() as session:
        jobs.cancel(session, job_id)
    thread.join(5)
    assert not thread.is_alive()
    assert job(database, job_id).state == "cancelled"
    assert executor.cancelled
    assert "running" not in states(database, job_id).values()
    assert "succeeded" in states(database, job_id).values()


def test_pausing_lets_go_of_what_runs_and_resuming_goes_on(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    _, executor, thread = held_run(database, tmp_path)
    wait_for(database, job_id, "uniform", "running")
    wait_for(database, job_id, "dense", "succeeded")
    with database.session() as session:
        jobs.pause(session, job_id)
    thread.join(5)
    assert not thread.is_alive()
    paused = job(database, job_id)
    assert (paused.state, paused.pause_requested, paused.finished_at) == ("paused", False, None)
    assert executor.cancelled
    done = {key for key, state in states(database, job_id).items() if state == "succeeded"}
    assert not make_runner(database, tmp_path).run_one(), "nobody takes it up"
    with database.session() as session:
        jobs.resume(session, job_id)
    executor = FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert not done & {one.key for one in executor.evaluated}, "what was done stays done"


def test_a_store_that_does_not_answer_is_not_asked_all_the_time(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count()

    def gone(_store: object) -> None:
        if next(looks) < 4:
            raise StoreUnavailable("the store does not answer")

    monkeypatch.setattr(LocalStore, "check", gone)
    monkeypatch.setattr(runners_module, "STORE_SECONDS", 0.05)
    job_id = submit(database)
    runner = make_runner(database, tmp_path)
    with running(runner):
        for _ in range(400):
            if job(database, job_id).state == "succeeded":
                break
            threading.Event().wait(0.02)
    assert (job(database, job_id).state, job(database, job_id).attempts) == ("succeeded", 2)


def test_stopping_the_runner_gives_the_job_back(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    runner, _, thread = held_run(database, tmp_path)
    wait_for(database, job_id, "uniform", "running")
    runner.stop()
    thread.join(5)
    assert job(database, job_id).state == "queued"
    make_runner(database, tmp_path).run_one()
    assert job(database, job_id).state == "succeeded"


def test_a_runner_that_lost_its_lease_writes_nothing_more(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    runner, executor, thread = held_run(database, tmp_path)
    wait_for(database, job_id, "uniform", "running")
    with database.session() as session:
        session.execute(sa.update(JobRow).values(lease_until=now() - timedelta(seconds=1)))
        taken = jobs.claim(session, "another")
    assert taken is not None
    thread.join(5)
    assert not thread.is_alive()
    assert executor.cancelled
    current = job(database, job_id)
    assert (current.owner, current.state, current.attempts) == ("another", "running", 2)
    del runner


def test_a_job_forgotten_while_it_runs_does_not_stop_the_runner(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    runner, _, thread = held_run(database, tmp_path)
    wait_for(database, job_id, "uniform", "running")
    with database.session() as session:
        session.execute(sa.delete(JobRow))
    thread.join(5)
    assert not thread.is_alive()
    with pytest.raises(NotFound):
        job(database, job_id)
    assert runner.run_one() is False


def test_a_runner_says_that_it_lives_until_it_ends(database: Database, tmp_path: Path) -> None:
    runner = make_runner(database, tmp_path)

    def is_alive() -> bool:
        with database.session() as session:
            return runners.alive(session) > 0

    thread = threading.Thread(target=runner.run_forever)
    thread.start()
    deadline = time.monotonic() + 10
    while not is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    runner.stop()
    thread.join()
    assert not is_alive()


def test_a_runner_in_a_thread_ends_with_its_context(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    executor = FakeExecutor()
    with running(make_runner(database, tmp_path, executor)) as runner:
        deadline = time.monotonic() + 20
        while job(database, job_id).state != "succeeded":
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert runner.stopping.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "runner"]


def test_a_job_that_cannot_be_prepared_says_why(database: Database, tmp_path: Path) -> None:
    class Unprepared(FakeExecutor):
        def submit(self, task: Task) -> Future[Any]:
            if task.function is not prepare_job:
                return super().submit(task)
            future: Future[Any] = Future()
            future.set_exception(WorkerLost("its process ended (SIGKILL, perhaps out of memory)"))
            return future

    job_id = submit(database)
    assert make_runner(database, tmp_path, Unprepared()).run_one()
    ended = job(database, job_id)
    assert ended.state == "failed"
    assert ended.error == "the job could not be prepared: its process ended (SIGKILL, perhaps out of memory)"


def test_an_error_of_ours_fails_the_job_and_shows_nothing_inside(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("secret internals")

    monkeypatch.setattr(candidates, "known", broken)
    job_id = submit(database)
    assert make_runner(database, tmp_path).run_one()
    ended = job(database, job_id)
    assert (ended.state, ended.error) == ("failed", "internal error: RuntimeError; the service's log says more")
    assert "secret internals" in caplog.text


def test_what_an_ended_job_worked_with_is_gone_and_a_cancelled_one_keeps_it(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    _, _, thread = held_run(database, tmp_path)
    wait_for(database, job_id, "uniform", "running")
    (tmp_path / "work" / job_id / "left.safetensors").parent.mkdir(parents=True)
    (tmp_path / "work" / job_id / "left.safetensors").touch()
    with database.session() as session:
        jobs.cancel(session, job_id)
    thread.join(5)
    assert (tmp_path / "work" / job_id / "left.safetensors").exists()
    with database.session() as session:
        jobs.retry(session, job_id)
    make_runner(database, tmp_path).run_one()
    assert job(database, job_id).state == "succeeded"
    assert not (tmp_path / "work" / job_id).exists()


def test_a_backup_that_was_made_in_the_middle_of_a_job_goes_on_from_there(tmp_path: Path) -> None:
    """The database first, by SQLite's own copy while the service runs, then the artifacts; as the guide says."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with closing(Database(f"sqlite:///{first / 'espalier.db'}")) as database:
        database.upgrade()
        job_id = submit(database)
        _, _, thread = held_run(database, first)
        wait_for(database, job_id, "dense", "succeeded")
        with (
            closing(sqlite3.connect(first / "espalier.db")) as source,
            closing(sqlite3.connect(second / "espalier.db")) as copy,
        ):
            source.backup(copy)
        shutil.copytree(first / "artifacts", second / "artifacts")
        with database.session() as session:
            jobs.cancel(session, job_id)
        thread.join(5)
        with database.session() as session:
            jobs.retry(session, job_id)
        make_runner(database, first).run_one()
        expected = front_of(database, job_id)
    with closing(Database(f"sqlite:///{second / 'espalier.db'}")) as database:
        assert database.is_current()
        done = {key for key, state in states(database, job_id).items() if state == "succeeded"}
        assert done
        with database.session() as session:
            jobs.reclaim(session)  # as `serve` does, when no other runner lives
        executor = FakeExecutor()
        make_runner(database, second, executor).run_one()
        assert front_of(database, job_id) == expected
        assert not done & {one.key for one in executor.evaluated}, "what was done stays done"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of connections that died
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_a_database_that_crashes_and_comes_back_again_and_again_loses_nothing(
    crashing: CrashingPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr("espalier.app.work.runner.FAILED_SECONDS", 0.2)
    spec = SPEC.model_copy(update={"seeds": tuple(range(2 * times))})
    with closing(Database(crashing.url)) as database:
        database.upgrade()
        whole = submit(database, spec)
        make_runner(database, tmp_path / "whole").run_one()
        expected = front_of(database, whole)
        with database.session() as session:
            session.execute(sa.delete(JobRow))  # so that nothing is taken over from it
        job_id, executor, crashes = submit(database, spec), FakeExecutor(), itertools.count(1)

        def crash(one: Candidate) -> None:
            if one.origin.kind == "uniform" and one.seed % 2 and next(crashes) <= times:
                crashing.crash()

        executor.broken = crash  # type: ignore[assignment]
        with running(make_runner(database, tmp_path / "disturbed", executor)):
            while not is_over(database, job_id):
                time.sleep(0.1)
        assert next(crashes) > times
        ended = job(database, job_id)
        assert (ended.state, ended.attempts > times) == ("succeeded", True)
        assert front_of(database, job_id) == expected
        with database.session() as session:
            told = [row.data for row in events.after(session, job_id, 0, 5000) if row.data.get("what") == "finished"]
        assert len({one["candidate"] for one in told}) == len(told) == ended.total, "each is told once"
    gc.collect()  # connections that died warn when they go, and are not the next test's


def is_over(database: Database, job_id: str) -> bool:
    """Whether a job has ended, as far as the database answers."""
    try:
        return job(database, job_id).state in ("succeeded", "failed")
    except (SQLAlchemyError, DatabaseUnusable):
        return False


def test_what_a_runner_dropped_is_its_own_at_once(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    with database.session() as session:
        runner = make_runner(database, tmp_path)
        assert jobs.claim(session, runner.owner) is not None
    with database.session() as session:
        assert jobs.claim(session, "another") is None, "its lease is good"
    assert runner.run_one()
    assert (job(database, job_id).state, job(database, job_id).attempts) == ("succeeded", 2)


def test_a_job_that_cannot_be_stored_fails_and_holds_up_no_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, after = submit(database), submit(database, SPEC.model_copy(update={"seeds": (7,)}))
    write = candidates.write

    def refuse(session: Session, job_id: str, *rest: Any, **more: Any) -> None:
        if job_id == poison:
            raise DataError("insert", {}, Exception("invalid byte sequence"))
        write(session, job_id, *rest, **more)

    monkeypatch.setattr(candidates, "write", refuse)
    runner = make_runner(database, tmp_path)
    assert runner.run_one()
    assert runner.run_one()
    assert "cannot be stored" in (job(database, poison).error or "")
    assert [job(database, one).state for one in (poison, after)] == ["failed", "succeeded"]


def test_what_is_logged_of_a_job_says_which_and_which_candidate(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure(Settings(data_dir=tmp_path, log_format="json"))
    try:
        job_id = submit(database)
        make_runner(database, tmp_path).run_one()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "espalier" in line]
    assert {line.get("job") for line in told} == {job_id}
    trained = [line for line in told if "has accuracy" in line["message"]]
    assert {line["candidate"] for line in trained} == set(states(database, job_id))
