"""Running jobs without training: order, failures, restarts, cancellation, leases."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from espalier.app.runner import Runner, _Run
from espalier.search.data import Places
from espalier.search.front import pareto
from espalier.search.plan import plan
from espalier.search.types import Budget, JobSpec
from espalier.storage import jobs, results, runners
from espalier.storage.artifacts import Artifacts
from espalier.storage.database import Database
from espalier.storage.errors import LeaseLost, NotFound
from espalier.storage.tables import CandidateRow, JobRow
from tests.app.fakes import FakeExecutor

SPEC = JobSpec.model_validate(
    {"target": {"arch": "vgg11", "dataset": "digits"}, "seeds": [0, 1], "budgets": [{"metric": "params", "keep": 0.1}]}
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'espalier.db'}")
    database.upgrade()
    yield database
    database.close()


def make_runner(database: Database, tmp_path: Path, executor: FakeExecutor | None = None) -> Runner:
    artifacts = Artifacts(tmp_path / "artifacts")
    places = Places(tmp_path / "datasets", tmp_path / "cache")
    return Runner(database, artifacts, executor or FakeExecutor(), places, tmp_path / "work")


def submit(database: Database, spec: JobSpec = SPEC) -> str:
    with database.session() as session:
        return jobs.submit(session, spec, plan(spec, "d").candidates).id


def job(database: Database, job_id: str) -> JobRow:
    with database.session() as session:
        return jobs.get(session, job_id)


def front_of(database: Database, job_id: str) -> object:
    with database.session() as session:
        return pareto(results.outcomes(session, job_id), "params")


def states(database: Database, job_id: str) -> dict[str, str]:
    with database.session() as session:
        return {row.key: row.state for row in results.rows(session, job_id)}


def test_a_job_runs_its_plan_parents_first(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    job_id = submit(database)
    assert make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    order = [candidate.key for candidate in executor.evaluated]
    assert sorted(order) == sorted(candidate.key for candidate in plan(SPEC, "d").candidates)
    assert all(order.index(c.parent) < order.index(c.key) for c in executor.evaluated if c.parent)
    assert set(states(database, job_id).values()) == {"succeeded"}


def test_events_tell_the_story(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    make_runner(database, tmp_path).run_one()
    with database.session() as session:
        events = jobs.events(session, job_id, 0, 1000)
    assert [e.id for e in events] == sorted(e.id for e in events)
    told = [e.data.get("what", e.data.get("state")) for e in events if e.kind != "epoch"]
    assert told[:2] == ["queued", "running"]
    assert told[-1] == "succeeded"
    assert told.count("started") == told.count("finished") == 7
    assert sum(e.kind == "epoch" for e in events) == 7
    assert {"candidate", "epoch", "loss", "accuracy", "epochs"} <= set(
        next(e.data for e in events if e.kind == "epoch")
    )


def test_no_job_is_no_work(database: Database, tmp_path: Path) -> None:
    assert make_runner(database, tmp_path).run_one() is False


def test_a_failed_candidate_is_recorded_and_the_job_goes_on(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.broken = lambda c: "the loss became nan" if c.origin.kind == "uniform" and c.seed == 0 else None
    job_id = submit(database)
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    with database.session() as session:
        failed = [row for row in results.rows(session, job_id) if row.state == "failed"]
    assert [(row.origin, row.error) for row in failed] == [("uniform", "the loss became nan")]


def test_a_job_fails_when_no_verdict_is_left(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.broken = lambda c: "the loss became nan" if c.method else None
    job_id = submit(database)
    make_runner(database, tmp_path, executor).run_one()
    ended = job(database, job_id)
    assert (ended.state, ended.error) == ("failed", "no verdict is left to give: the loss became nan")
    assert not any(c.origin.kind == "pruned" for c in executor.evaluated)
    with database.session() as session:
        jobs.retry(session, job_id)
    executor.broken = lambda _: None
    already = {c.key for c in executor.evaluated if not c.method}
    executor.evaluated.clear()
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert not already & {c.key for c in executor.evaluated}, "a retried job goes on where it was"


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


def test_a_table_that_is_behind_is_rebuilt_from_the_study(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    make_runner(database, tmp_path).run_one()
    expected = front_of(database, job_id)
    with database.session() as session:
        session.execute(sa.update(CandidateRow).values(state="queued", result=None, accuracy=None))
        session.execute(sa.update(JobRow).values(state="queued"))
    executor = FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert executor.evaluated == []
    assert front_of(database, job_id) == expected


def test_the_same_candidate_is_trained_once_over_all_jobs(database: Database, tmp_path: Path) -> None:
    first = submit(database)
    make_runner(database, tmp_path).run_one()
    more = SPEC.model_copy(update={"baselines": ("uniform", "random")})
    second, executor = submit(database, more), FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert {c.origin.kind for c in executor.evaluated} == {"random"}
    assert job(database, second).state == job(database, first).state == "succeeded"


def test_weights_are_kept_only_where_they_are_wanted(database: Database, tmp_path: Path) -> None:
    job_id = submit(database, SPEC.model_copy(update={"keep_weights": False}))
    make_runner(database, tmp_path).run_one()
    with database.session() as session:
        kept = [row for row in results.rows(session, job_id) if row.weights]
    assert [(row.origin, row.method) for row in kept] == [("dense", "slimming")]
    kept_again = submit(database)
    make_runner(database, tmp_path).run_one()
    with database.session() as session:
        assert all(row.weights for row in results.rows(session, kept_again)), "reuse must not lose what is asked for"


def held_run(database: Database, tmp_path: Path) -> tuple[Runner, FakeExecutor, threading.Thread]:
    executor = FakeExecutor()
    executor.held = lambda c: c.origin.kind == "uniform"
    runner = make_runner(database, tmp_path, executor)

    def run() -> None:
        with contextlib.suppress(LeaseLost):
            runner.run_one()

    thread = threading.Thread(target=run)
    thread.start()
    return runner, executor, thread


def wait_for(database: Database, job_id: str, origin: str, state: str) -> None:
    for _ in range(400):
        with database.session() as session:
            if any(row.state == state for row in results.rows(session, job_id) if row.origin == origin):
                return
        threading.Event().wait(0.02)
    raise AssertionError(f"no {origin} became {state}")


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
        session.execute(sa.update(JobRow).values(lease_until=jobs.now() - timedelta(seconds=1)))
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


def test_checkpoints_do_not_stay(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    fill = _Run._submit

    def spy(self: _Run, candidate: object, function: object, *args: object, **options: object) -> object:
        if path := options.get("checkpoint"):
            assert isinstance(path, Path)
            path.write_bytes(b"state")
            written.append(path)
        return fill(self, candidate, function, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(_Run, "_submit", spy)
    submit(database)
    make_runner(database, tmp_path).run_one()
    assert len(written) == 7
    assert not any(path.exists() for path in written)


def test_a_parent_whose_weights_are_deleted_with_another_job_is_trained_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(database)
    make_runner(database, tmp_path).run_one()
    reuse = _Run._reuse

    def then_delete(self: _Run, *args: Any) -> None:
        reuse(self, *args)
        assert self.done
        shutil.rmtree(tmp_path / "artifacts")

    monkeypatch.setattr(_Run, "_reuse", then_delete)
    job_id = submit(database, SPEC.model_copy(update={"budgets": (Budget(metric="params", keep=0.01),)}))
    executor = FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert "slimming parent seed 0" in {candidate.label for candidate in executor.evaluated}


def test_a_runner_says_that_it_lives_until_it_ends(database: Database, tmp_path: Path) -> None:
    runner = make_runner(database, tmp_path)

    def is_alive() -> bool:
        with database.session() as session:
            return runners.is_any_alive(session)

    thread = threading.Thread(target=runner.run_forever)
    thread.start()
    deadline = time.monotonic() + 10
    while not is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    runner.stop()
    thread.join()
    assert not is_alive()
