"""One job's run: order, failures, what is reused and what is lost, and planners that ask for more."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.app.caps import Caps
from espalier.app.work.executors.base import Task, TaskFailed, WorkerLost
from espalier.app.work.job import TRIES
from espalier.app.work.tasks import evaluate_candidate, measure_latencies, prepare_job
from espalier.search.answers.front import pareto
from espalier.search.answers.tickets import TicketAnswer, tickets
from espalier.search.candidates import Candidate
from espalier.search.comparable import Brief
from espalier.search.events import EVENT, CandidateFailed, CandidateFinished, Event, SilentEvent
from espalier.search.planners import PLANNERS
from espalier.search.results import CurvePoint, Failure, Outcome, Reported, Smoke
from espalier.search.spec import Budget, JobSpec, PlannerSpec, Tickets
from espalier.storage import candidates, events, jobs, measurements
from espalier.storage.database import Database
from espalier.storage.errors import StoreUnavailable, WrongState
from espalier.storage.store import LocalStore
from espalier.storage.studies import Studies
from espalier.storage.tables import ArtifactRow, CandidateRow, JobRow
from tests.app.fakes import FakeExecutor
from tests.app.work.helpers import SPEC, front_of, held_run, job, make_runner, states, submit, wait_for
from tests.app.work.planners import Halving, Stuck, Twice
from tests.search.helpers import planned, question
from tests.storage.releases import first


def test_a_job_runs_its_plan_parents_first(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    job_id = submit(database)
    assert make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    order = [candidate.key for candidate in executor.evaluated]
    assert sorted(order) == sorted(candidate.key for candidate in planned(SPEC))
    assert all(order.index(key) < order.index(c.key) for c in executor.evaluated for key in c.needs.values())
    assert sum(bool(c.needs) for c in executor.evaluated) == 2
    assert set(states(database, job_id).values()) == {"succeeded"}


def test_events_tell_the_story(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    make_runner(database, tmp_path).run_one()
    with database.session() as session:
        found = events.after(session, job_id, 0, 1000)
    assert [e.id for e in found] == sorted(e.id for e in found)
    told = [e.data.get("what", e.data.get("state")) for e in found if e.kind in ("state", "candidate")]
    assert [e.kind for e in found[:3]] == ["state", "state", "preparing"]
    assert told[:2] == ["queued", "running"]
    assert told[-1] == "succeeded"
    assert told.count("started") == told.count("finished") == 7
    assert sum(e.kind == "epoch" for e in found) == 7
    assert {"candidate", "epoch", "loss", "accuracy", "epochs"} <= set(next(e.data for e in found if e.kind == "epoch"))


def test_a_failed_candidate_is_recorded_and_the_job_goes_on(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.broken = lambda c: "the loss became nan" if c.origin.kind == "uniform" and c.seed == 0 else None
    job_id = submit(database)
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    with database.session() as session:
        failed = [row for row in candidates.rows(session, job_id) if row.state == "failed"]
    assert [(row.origin, row.error) for row in failed] == [("uniform", "the loss became nan")]


KILLED = WorkerLost("its process ended (SIGKILL, perhaps out of memory)")


class Mortal(FakeExecutor):
    """Loses the process of some tasks, for the first few times."""

    def __init__(self, doomed: Any, times: int, by: Exception = KILLED) -> None:
        super().__init__(cores=1)
        self.doomed, self.times, self.by = doomed, times, by
        self.deaths = 0
        self.checkpoints: list[bool] = []

    def submit(self, task: Task) -> Future[Any]:
        if not self.doomed(task) or self.deaths == self.times:
            return super().submit(task)
        self.deaths += 1
        if task.function is evaluate_candidate:
            with task.args[3].checkpoint(task.args[4]) as state:
                self.checkpoints.append(state.path.exists())
                state.path.write_bytes(b"so far")
        future: Future[Any] = Future()
        future.set_exception(self.by)
        return future


def prepares(task: Task) -> bool:
    return task.function is prepare_job


def trains_uniform(task: Task) -> bool:
    return task.function is evaluate_candidate and task.args[0].label == "uniform params=0.1 seed 0"


def test_what_lost_its_process_is_tried_again_from_its_checkpoint(database: Database, tmp_path: Path) -> None:
    for doomed in (prepares, trains_uniform):
        executor = Mortal(doomed, TRIES - 1)
        job_id = submit(database, SPEC.model_copy(update={"minimum_keep": 0.1 if doomed is prepares else 0.2}))
        make_runner(database, tmp_path, executor).run_one()
        assert (job(database, job_id).state, executor.deaths) == ("succeeded", TRIES - 1)
        assert set(states(database, job_id).values()) == {"succeeded"}
        assert executor.checkpoints == ([] if doomed is prepares else [False, True])


SILENT = TaskFailed("StoreUnavailable", "the store does not answer", False)


def test_a_store_that_is_gone_fails_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit(database)
    executor = Mortal(trains_uniform, 5, SILENT)
    begun = 0

    def gone(_store: object) -> None:
        if executor.deaths > begun:  # since the job began
            raise StoreUnavailable("the store does not answer")

    monkeypatch.setattr(LocalStore, "check", gone)
    for times in range(1, 6):
        begun = executor.deaths
        make_runner(database, tmp_path, executor).run_one()
        assert (executor.deaths, job(database, job_id).state) == (times, "queued"), "however often"
        assert "running" not in states(database, job_id).values()
    begun = executor.deaths
    make_runner(database, tmp_path, executor).run_one()
    assert set(states(database, job_id).values()) == {"succeeded"}
    assert executor.checkpoints == [False, True, True, True, True], "it goes on where it was"


def test_a_store_that_answers_and_takes_nothing_is_not_tried_for_ever(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    executor = Mortal(trains_uniform, 99, SILENT)
    make_runner(database, tmp_path, executor).run_one()
    assert (job(database, job_id).state, executor.deaths) == ("succeeded", TRIES)
    with database.session() as session:
        found = {row.arm_name: (row.error, row.failure) for row in candidates.rows(session, job_id) if row.error}
    assert found == {"uniform": ("the store does not answer", "error")}
    with database.session() as session:
        jobs.retry(session, job_id)
    make_runner(database, tmp_path).run_one()
    assert set(states(database, job_id).values()) == {"succeeded"}


@pytest.mark.parametrize("is_away", [True, False])
def test_a_job_is_prepared_when_the_store_is_back(
    is_away: bool, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks that are no trainings ask the store for data sets, too."""
    job_id = submit(database)
    executor = Mortal(prepares, 1, SILENT)

    def gone(_store: object) -> None:
        if is_away and executor.deaths == 1:
            raise StoreUnavailable("the store does not answer")

    monkeypatch.setattr(LocalStore, "check", gone)
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == ("queued" if is_away else "succeeded")


def test_a_damaged_file_is_no_reason_to_try_for_ever(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    lost = Mortal(trains_uniform, 99, TaskFailed("NotFound", "no artifact", False))
    make_runner(database, tmp_path, lost).run_one()
    with database.session() as session:
        errors = {row.error for row in candidates.rows(session, job_id) if row.error}
    assert (errors, lost.deaths) == ({"no artifact"}, TRIES)


class Wandering(FakeExecutor):
    """Loses a process after every epoch of one candidate, which comes a little further each time."""

    def __init__(self, epochs: int) -> None:
        super().__init__(cores=1)
        self.epochs, self.epoch = epochs, 0

    def submit(self, task: Task) -> Future[Any]:
        if not trains_uniform(task) or self.epoch == self.epochs:
            return super().submit(task)
        assert task.report
        point = CurvePoint(step=1, epoch=self.epoch, metrics={"loss": 1.0, "accuracy": 0.5})
        task.report(Reported(point, self.epochs, "accuracy"))
        self.epoch += 1
        future: Future[Any] = Future()
        future.set_exception(KILLED)
        return future


def test_who_comes_further_each_time_is_given_time(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    make_runner(database, tmp_path, Wandering(4 * TRIES)).run_one()
    assert set(states(database, job_id).values()) == {"succeeded"}


def test_a_job_waits_until_there_is_a_machine(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.widest = 0
    job_id = submit(database)
    thread = threading.Thread(target=make_runner(database, tmp_path, executor).run_one)
    thread.start()
    time.sleep(0.3)
    assert not executor.evaluated
    assert job(database, job_id).state == "running"
    executor.widest = 2
    thread.join(20)
    assert job(database, job_id).state == "succeeded"


def test_a_job_waits_for_a_store_that_is_gone_and_loses_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> bool:
        raise StoreUnavailable("the store does not answer")

    job_id = submit(database)
    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "has", gone)
        patched.setattr(LocalStore, "forget_checkpoint", gone)
        make_runner(database, tmp_path).run_one()
        assert job(database, job_id).state == "queued"
    executor = FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert "slimming parent seed 0" not in [one.label for one in executor.evaluated], "it was there"


def test_but_not_for_ever(database: Database, tmp_path: Path) -> None:
    job_id = submit(database)
    make_runner(database, tmp_path, Mortal(prepares, 99)).run_one()
    ended = job(database, job_id)
    assert (ended.state, ended.attempts) == ("failed", 1)
    assert "could not be prepared: its process ended (SIGKILL" in (ended.error or "")
    job_id = submit(database, SPEC.model_copy(update={"minimum_keep": 0.2}))
    executor = Mortal(trains_uniform, 99)
    make_runner(database, tmp_path, executor).run_one()
    assert (job(database, job_id).state, executor.deaths) == ("succeeded", TRIES)
    with database.session() as session:
        (failed,) = [row for row in candidates.rows(session, job_id) if row.state == "failed"]
        assert failed.error == "its process ended (SIGKILL, perhaps out of memory)"
        assert candidates.progress(session, [job_id])[job_id][-1] == 1
        jobs.retry(session, job_id)
    executor = FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert [one.label for one in executor.evaluated] == ["uniform params=0.1 seed 0"], "that one alone"
    with database.session() as session, pytest.raises(WrongState, match="none of its candidates failed"):
        jobs.retry(session, job_id)


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


def told(database: Database, job_id: str) -> list[Event]:
    """What a job told."""
    with database.session() as session:
        return [EVENT.validate_python({"kind": e.kind, **e.data}) for e in events.after(session, job_id, 0, 1000)]


def test_results_that_are_taken_over_are_said_to_be(database: Database, tmp_path: Path) -> None:
    first = submit(database)
    make_runner(database, tmp_path).run_one()
    second = submit(database, SPEC.model_copy(update={"baselines": ("uniform", "random")}))
    make_runner(database, tmp_path).run_one()
    finished = {job: [e for e in told(database, job) if isinstance(e, CandidateFinished)] for job in (first, second)}
    assert [e.taken_over for e in finished[first]] == [False] * 7
    assert {e.taken_over for e in finished[second] if "random" in e.label} == {False}
    assert {e.taken_over for e in finished[second] if "random" not in e.label} == {True}


def test_it_is_said_when_nothing_is_heard_of_what_runs(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("espalier.app.work.hearing.PATIENCE", 0.2)
    job_id = submit(database)
    *_, thread = held_run(database, tmp_path)
    wait_for(database, job_id, "uniform", "running")
    for _ in range(400):
        silences = [e for e in told(database, job_id) if isinstance(e, SilentEvent)]
        if len({e.candidate for e in silences}) == 2 and len(silences) > 2:
            break
        threading.Event().wait(0.05)
    with database.session() as session:
        jobs.cancel(session, job_id)
    thread.join()
    assert all("uniform" in e.label and e.candidate for e in silences)
    of_one = [e.seconds for e in silences if e.candidate == silences[0].candidate]
    assert all(later > 2 * earlier for earlier, later in itertools.pairwise(of_one)), "said again when twice as long"
    assert job(database, job_id).state == "cancelled", "and nothing else is done about it"


def kept(database: Database, job_id: str) -> set[tuple[str, str | None]]:
    """Kinds and methods of the candidates whose weights were kept."""
    with database.session() as session:
        hashes = {
            row.key: row.hash for row in session.scalars(sa.select(ArtifactRow).where(ArtifactRow.job_id == job_id))
        }
        found = candidates.results(session, job_id)
        by_key = {row.key: candidates.candidate_of(row) for row in candidates.rows(session, job_id)}
    assert hashes == {key: result.artifacts["weights"] for key, result in found.items() if result.artifacts}
    return {(by_key[key].origin.kind, by_key[key].method) for key, result in found.items() if result.artifacts}


def test_weights_are_kept_only_where_they_are_wanted(database: Database, tmp_path: Path) -> None:
    job_id = submit(database, SPEC.model_copy(update={"keep_weights": False}))
    make_runner(database, tmp_path).run_one()
    assert kept(database, job_id) == {("sparse", "slimming")}
    kept_again = submit(database)
    make_runner(database, tmp_path).run_one()
    with database.session() as session:
        found = candidates.results(session, kept_again)
    assert all(result.artifacts["weights"] for result in found.values()), "reuse must not lose what is asked for"
    assert len(found) == 7


def test_a_job_with_a_sampler_runs_to_its_end_and_its_study_has_the_parameters(
    database: Database, tmp_path: Path
) -> None:
    spec = JobSpec.model_validate(
        SPEC.model_dump(mode="json", exclude={"planner"}) | {"sampler": {"trials": 30}, "keep_weights": False}
    )
    executor = FakeExecutor()
    job_id = submit(database, spec)
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    kinds = Counter(one.origin.kind for one in executor.evaluated)
    assert kinds["sampled"] == len(SPEC.all_seeds)
    assert kinds["trial"] >= 20
    assert len({one.key for one in executor.evaluated}) == sum(kinds.values()), "none is trained again"
    with closing(Studies(database)) as studies:
        chosen = [one.params for one in studies.open(job_id)._study.get_trials() if one.params]
    assert len(chosen) == kinds["trial"]
    assert {*chosen[0]} == {"stage 0"}


def test_draws_are_kept_for_the_best_of_them_though_no_weights_are_wanted(database: Database, tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"keep_weights": False, "baselines": ("random_best",), "methods": ()})
    executor = FakeExecutor()
    job_id = submit(database, spec)
    make_runner(database, tmp_path, executor).run_one()
    with database.session() as session:
        found = [candidate for candidate, _ in measurements.of_job(session, job_id)]
    assert job(database, job_id).state == "succeeded"
    kinds = Counter(one.origin.kind for one in found)
    assert kinds["random_draw"] == 1
    assert kinds["random_best"] == len(SPEC.all_seeds)
    trained = [one.key for one in executor.evaluated]
    assert len(trained) == len(set(trained)) == len(found), "none is trained again"


def test_checkpoints_do_not_stay(database: Database, tmp_path: Path) -> None:
    written: list[Path] = []

    class Writing(FakeExecutor):
        """Leaves a checkpoint for every training, as one that was killed would."""

        def submit(self, task: Task) -> Future[Any]:
            if task.function is evaluate_candidate:
                with task.args[3].checkpoint(task.args[4]) as state:
                    state.path.write_bytes(b"state")
                    written.append(state.path)
            return super().submit(task)

    submit(database)
    make_runner(database, tmp_path, Writing()).run_one()
    assert len(set(written)) == 7
    assert not any(path.exists() for path in written)


def test_a_parent_whose_weights_are_deleted_with_another_job_is_trained_again(
    database: Database, tmp_path: Path
) -> None:
    class Deleting(FakeExecutor):
        """While the first network is trained, the job that made the parent is deleted with what it kept."""

        def submit(self, task: Task) -> Future[Any]:
            is_first, future = task.function is evaluate_candidate and not self.evaluated, super().submit(task)
            if is_first:
                shutil.rmtree(tmp_path / "artifacts")
            return future

    submit(database)
    make_runner(database, tmp_path).run_one()
    job_id = submit(database, SPEC.model_copy(update={"budgets": (Budget(metric="params", keep=0.01),)}))
    executor = Deleting(cores=1)
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    labels = [candidate.label for candidate in executor.evaluated]
    assert labels[0] == "slimming params=0.01 seed 0", "the parent was there, taken over from the other job"
    assert "slimming parent seed 0" in labels[1:]
    assert set(states(database, job_id).values()) == {"succeeded"}


@pytest.mark.parametrize("damage", [lambda content: content[:-1] + b"?", lambda content: content[:-1]])
def test_a_parent_whose_weights_are_damaged_is_trained_again(damage: Any, database: Database, tmp_path: Path) -> None:
    submit(database)
    make_runner(database, tmp_path).run_one()
    for path in (tmp_path / "artifacts").glob("*/*"):
        path.write_bytes(damage(path.read_bytes()))
    job_id = submit(database, SPEC.model_copy(update={"budgets": (Budget(metric="params", keep=0.01),)}))
    executor = FakeExecutor(cores=1)
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert [one.label for one in executor.evaluated[:2]] == ["slimming parent seed 0", "slimming params=0.01 seed 0"]
    assert set(states(database, job_id).values()) == {"succeeded"}


def test_what_needs_a_candidate_that_failed_fails_for_the_same_reason(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    methods = [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2.0}}]
    executor.broken = lambda c: "the loss became nan" if c.label == "slimming parent seed 0" else None
    job_id = submit(database, JobSpec.model_validate(SPEC.model_dump() | {"methods": methods}))
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded", "the other setting can still be compared"
    with database.session() as session:
        failed = {
            candidates.candidate_of(row).label: row.error for row in candidates.rows(session, job_id) if row.error
        }
    assert failed == {
        "slimming parent seed 0": "the loss became nan",
        "slimming params=0.1 seed 0": "its parent failed: the loss became nan",
        "slimming params=0.1 seed 1": "its parent failed: the loss became nan",
    }


def test_results_of_other_code_or_another_machine_are_not_taken_over(database: Database, tmp_path: Path) -> None:
    submit(database)
    make_runner(database, tmp_path).run_one()
    with database.session() as session:
        for row in session.scalars(sa.select(CandidateRow).where(CandidateRow.origin != "dense")):
            assert row.result is not None
            made_by = row.result["made_by"] | {"espalier": "0.0.1"}
            row.result = row.result | {"made_by": made_by}
    executor = FakeExecutor()
    submit(database)
    make_runner(database, tmp_path, executor).run_one()
    assert {c.origin.kind for c in executor.evaluated} == {"sparse", "pruned", "uniform"}


# --- planners that ask for more ---------------------------------------------------------------------------------------


HALVING = SPEC.model_copy(update={"planner": PlannerSpec(name="halving"), "methods": ()})


@pytest.fixture
def halving(monkeypatch: pytest.MonkeyPatch) -> type[Halving]:
    """The planner, known by its name."""
    monkeypatch.setitem(PLANNERS, "halving", Halving)
    Halving.asked.clear()
    return Halving


def labels(database: Database, job_id: str) -> list[str]:
    """What was asked for, in order."""
    with database.session() as session:
        return [candidates.candidate_of(row).label for row in candidates.rows(session, job_id)]


ALL = ["dense seed 0", *(f"uniform params={keep} seed 0" for keep in ("0.5", "0.25", "0.125"))]


def test_a_planner_may_ask_for_more_when_it_knows_more(
    database: Database, tmp_path: Path, halving: type[Halving]
) -> None:
    job_id = submit(database, HALVING)
    assert labels(database, job_id) == ALL[:2]
    assert job(database, job_id).total == 2
    halving.asked.clear()
    executor = FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert labels(database, job_id) == [one.label for one in executor.evaluated] == ALL
    assert [len(done) for done in halving.asked] == [2, 3, 4], (
        "asked when nothing is left to run, until there is no more"
    )
    assert job(database, job_id).total == 4
    with database.session() as session:
        assert candidates.progress(session, [job_id])[job_id][:3] == (4, 0, 4)
        told = [
            row.data["label"] for row in events.after(session, job_id, 0, 100) if row.data.get("what") == "finished"
        ]
    assert (set(told[:2]), told[2:]) == (set(ALL[:2]), ALL[2:])
    assert [point.arm.label for point in front_of(database, job_id).points] == [
        "uniform params=0.125", "uniform params=0.25", "uniform params=0.5", "dense",
    ]  # fmt: skip


class Killed(BaseException):
    """The runner's process ends here."""


def killing(label: str) -> Callable[[Candidate], str | None]:
    """What kills the runner when this candidate is trained."""

    def kill(one: Candidate) -> None:
        if one.label == label:
            raise Killed

    return kill


def test_a_killed_runner_goes_on_without_asking_twice(
    database: Database, tmp_path: Path, halving: type[Halving]
) -> None:
    job_id = submit(database, HALVING)
    halving.asked.clear()
    first_run, second_run = FakeExecutor(), FakeExecutor()
    first_run.broken = killing(ALL[2])
    with pytest.raises(Killed):
        make_runner(database, tmp_path, first_run).run_one()
    assert labels(database, job_id) == ALL[:3], "what it asked for is written down before it runs"
    assert job(database, job_id).total == 3
    with database.session() as session:
        jobs.reclaim(session)
    make_runner(database, tmp_path, second_run).run_one()
    assert job(database, job_id).state == "succeeded"
    assert [one.label for one in second_run.evaluated] == ALL[2:]
    assert labels(database, job_id) == ALL
    assert [len(done) for done in halving.asked] == [2, 3, 4]
    assert len(set(halving.asked)) == 3


TICKETS = SPEC.model_copy(
    update={
        "methods": (),
        "budgets": (),
        "baselines": (),
        "tickets": Tickets(rounds=3, controls=("reinit", "continued")),
    }
)


@pytest.mark.parametrize("at", ["ticket round 1 seed 0", "ticket round 2 seed 1", "reinit round 3 seed 0"])
def test_tickets_of_a_runner_that_was_killed_in_any_round_are_the_same(
    database: Database, tmp_path: Path, at: str
) -> None:
    whole = submit(database, TICKETS)
    make_runner(database, tmp_path / "whole").run_one()
    expected = answer_of(database, whole)
    assert {point.round for point in expected.points if point.name == "ticket"} == {1, 2, 3}
    with database.session() as session:
        session.execute(sa.delete(JobRow))  # so that nothing is taken over from it
    job_id, first_run, second_run = submit(database, TICKETS), FakeExecutor(), FakeExecutor()
    first_run.broken = killing(at)
    with pytest.raises(Killed):
        make_runner(database, tmp_path, first_run).run_one()
    with database.session() as session:
        jobs.reclaim(session)
    make_runner(database, tmp_path, second_run).run_one()
    assert job(database, job_id).state == "succeeded"
    finished = {one.label for one in first_run.evaluated} - {one.label for one in second_run.evaluated}
    assert finished, "what was over is not trained again"
    assert answer_of(database, job_id) == expected


def answer_of(database: Database, job_id: str) -> TicketAnswer:
    with database.session() as session:
        return tickets(measurements.of_job(session, job_id))


def test_a_planner_is_told_of_failures(database: Database, tmp_path: Path, halving: type[Halving]) -> None:
    job_id = submit(database, HALVING)
    executor = FakeExecutor()
    executor.broken = lambda one: "it diverged" if one.label == ALL[2] else None
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert labels(database, job_id) == ALL
    assert halving.tries == [None, "it diverged", None]


def test_results_of_another_job_answer_what_a_planner_asks_later(
    database: Database, tmp_path: Path, halving: type[Halving]
) -> None:
    submit(database, HALVING)
    make_runner(database, tmp_path).run_one()
    del halving
    job_id, executor = submit(database, HALVING), FakeExecutor()
    make_runner(database, tmp_path, executor).run_one()
    assert executor.evaluated == []
    assert (job(database, job_id).state, labels(database, job_id)) == ("succeeded", ALL)


def test_a_planner_that_cannot_go_on_fails_its_job(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLANNERS, "halving", Stuck)
    job_id = submit(database, HALVING)
    make_runner(database, tmp_path).run_one()
    ended = job(database, job_id)
    assert (ended.state, ended.error) == ("failed", "the job's planner could not go on: no front to search on")
    assert set(states(database, job_id).values()) == {"succeeded"}, "what it has found stays"


# --- jobs of the first release ------------------------------------------------------------------------------------------


def keep_weights_of_old(folder: Path) -> None:
    """What the first release kept lies where it lay."""
    for row in first.release()["candidates"]:
        if row["weights"]:
            path = folder / "artifacts" / row["weights"][:2] / row["weights"][2:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"weights")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Database]:
    """An empty database, not upgraded."""
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    yield database
    database.close()


def test_what_the_first_release_left_undone_is_run_under_its_old_keys(
    old: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights themselves were not kept here: what stands for them is not looked at."""
    monkeypatch.setattr(LocalStore, "path", lambda _store, name: tmp_path / "artifacts" / name[:2] / name[2:])
    undone = {row["key"]: row for row in first.rows(first.VGG) if row["origin"] == "pruned" and row["seed"] == 1}
    assert len(undone) == 2
    first.restore(old, undone)
    keep_weights_of_old(tmp_path)
    old.upgrade()
    before = {row["key"] for row in first.rows(first.VGG)}
    executor = FakeExecutor()
    make_runner(old, tmp_path, executor).run_one()
    assert job(old, first.VGG).state == "succeeded"
    assert job(old, first.VGG).total == 27
    assert {one.key for one in executor.evaluated} == set(undone)
    assert {one.init for one in executor.evaluated} == {"scratch", "inherited"}
    parent = next(row for row in first.rows(first.VGG) if row["origin"] == "dense" and row["method"])
    assert all(one.needs == {"parent": parent["key"]} for one in executor.evaluated)
    assert set(states(old, first.VGG)) == before, "its plan was complete, and no other is made of it"
    assert set(states(old, first.VGG).values()) == {"succeeded"}
    said = {
        point["architecture"]
        for point in first.release()["answers"][first.VGG]["points"]
        if point["origin"] != "pruned"
    }
    assert said <= {point.architecture for point in front_of(old, first.VGG).points}
    with old.session() as session:
        results, measured = candidates.results(session, first.VGG), measurements.of_job(session, first.VGG)
    assert [Brief.of(results[one.key]) for one, _ in measured] == [brief for _, brief in measured]


def test_weights_that_the_first_release_kept_and_somebody_lost_are_made_again(old: Database, tmp_path: Path) -> None:
    undone = {row["key"] for row in first.rows(first.PRERESNET) if row["origin"] == "pruned"}
    first.restore(old, undone)
    old.upgrade()
    executor = FakeExecutor()
    make_runner(old, tmp_path, executor).run_one()
    assert job(old, first.PRERESNET).state == "succeeded"
    keys = [row["key"] for row in first.rows(first.PRERESNET)]
    assert sorted(one.key for one in executor.evaluated) == sorted(keys), "its spec wants all weights kept"
    assert set(states(old, first.PRERESNET).values()) == {"succeeded"}


def outcomes(database: Database, job_id: str) -> list[tuple[Candidate, Brief]]:
    """What came of its candidates."""
    with database.session() as session:
        return measurements.of_job(session, job_id)


# --- what can never run -------------------------------------------------------------------------------------------------

TWO = JobSpec.model_validate(
    SPEC.model_dump() | {"methods": [{"name": "slimming"}, {"name": "slimming", "options": {"strength": 2.0}}]}
)
BLOCKED = {f"slimming params=0.1 seed {seed}": "its parent failed: the loss became nan" for seed in (0, 1)}


def errors(database: Database, job_id: str) -> dict[str, str]:
    """Why candidates failed."""
    with database.session() as session:
        return {candidates.candidate_of(row).label: row.error for row in candidates.rows(session, job_id) if row.error}


def test_what_a_planner_asks_for_though_it_can_never_run_fails(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLANNERS, "twice", Twice)
    executor = FakeExecutor()
    executor.broken = lambda c: "the loss became nan" if c.label == "slimming parent seed 0" else None
    job_id = submit(database, TWO.model_copy(update={"planner": PlannerSpec(name="twice")}))
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert errors(database, job_id) == BLOCKED | {"slimming parent seed 0": "the loss became nan"}
    assert set(states(database, job_id).values()) == {"succeeded", "failed"}, "nothing is left queued"


def test_a_runner_killed_before_it_noted_what_can_never_run_leaves_that_to_the_next(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = candidates.write

    def killed(session: Session, job_id: str, outcome: Outcome, taken_over: bool = False) -> None:
        if isinstance(outcome, Failure) and outcome.error.startswith("its parent failed"):
            raise Killed
        write(session, job_id, outcome, taken_over)

    executor = FakeExecutor()
    executor.held = lambda c: c.label == "slimming parent seed 0"
    job_id = submit(database, TWO)
    runner = make_runner(database, tmp_path, executor)
    thread = threading.Thread(target=runner.run_one)
    thread.start()
    deadline = time.monotonic() + 20
    while list(states(database, job_id).values()).count("succeeded") < 7:  # all but that parent and what needs it
        assert time.monotonic() < deadline
        time.sleep(0.02)
    runner.stop()
    thread.join()
    executor.held = lambda _: False
    executor.broken = lambda c: "the loss became nan" if c.label == "slimming parent seed 0" else None
    with monkeypatch.context() as patch:
        patch.setattr(candidates, "write", killed)
        with pytest.raises(Killed):
            make_runner(database, tmp_path, executor).run_one()
    with database.session() as session:
        jobs.reclaim(session)
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert errors(database, job_id) == BLOCKED | {"slimming parent seed 0": "the loss became nan"}
    assert set(states(database, job_id).values()) == {"succeeded", "failed"}, "nothing is left queued"


def test_what_running_the_networks_takes_is_measured_once_all_are_trained(database: Database, tmp_path: Path) -> None:
    job_id = submit(database, SPEC.model_copy(update={"latency_images": 16}))
    make_runner(database, tmp_path).run_one()
    with database.session() as session:
        told = [events.event_of(row) for row in events.after(session, job_id, 0, 1000)]
        known = jobs.latencies_of(jobs.get(session, job_id))
        rows = candidates.rows(session, job_id)
        found = pareto(measurements.of_job(session, job_id), "latency", known)
    assert [one.kind for one in told][-2:] == ["measuring", "state"]
    assert set(known) == {row.architecture for row in rows if row.role != "parent"}
    for row in rows:
        if row.architecture in known:
            assert row.latency_ms == known[row.architecture][0].median_ms
    assert all([one.images for one in point.latency] == [1, 16] for point in found.points)


def test_latencies_that_cannot_be_measured_are_no_reason_to_fail(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Clockless(FakeExecutor):
        def submit(self, task: Task) -> Future[Any]:
            if task.function is not measure_latencies:
                return super().submit(task)
            future: Future[Any] = Future()
            future.set_exception(TaskFailed("RuntimeError", "out of memory", is_users=False))
            return future

    job_id = submit(database)
    make_runner(database, tmp_path, Clockless()).run_one()
    assert (job(database, job_id).state, job(database, job_id).latencies) == ("succeeded", None)
    assert "latencies were not measured: out of memory" in caplog.text


def test_a_job_that_goes_on_measures_what_is_new(database: Database, tmp_path: Path) -> None:
    measured: list[int] = []

    class Counting(FakeExecutor):
        def submit(self, task: Task) -> Future[Any]:
            if task.function is measure_latencies:
                measured.append(len(task.args[0]))
            return super().submit(task)

    executor = Counting()
    executor.broken = lambda one: "no" if one.origin.kind == "uniform" and one.seed == 1 else None
    job_id = submit(database)
    make_runner(database, tmp_path, executor).run_one()
    for broken in (lambda one: "no" if one.origin.kind == "uniform" and one.seed == 1 else None, lambda _: None):
        executor.broken = broken
        with database.session() as session:
            jobs.retry(session, job_id)
        make_runner(database, tmp_path, executor).run_one()
    assert measured == [3], "of the widths of one budget, the other seed has the same"


def test_a_smoke_run_comes_before_the_first_training(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    job_id = submit(database, spec=SPEC.model_copy(update={"smoke": True}))
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert [one.spec.smoke for one in executor.smoked] == [True]
    with database.session() as session:
        told = [one.kind for one in events.after(session, job_id, 0, 1000)]
    assert told[:5] == ["state", "state", "preparing", "smoke", "smoke"]


def test_a_smoke_run_that_went_well_is_not_repeated_unless_the_job_grew(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    spec = SPEC.model_copy(update={"smoke": True})
    job_id = submit(database, spec)
    executor.held = lambda one: one.origin.kind == "uniform"
    thread = threading.Thread(target=make_runner(database, tmp_path, executor).run_one)
    thread.start()
    wait_for(database, job_id, "uniform", "running")
    with database.session() as session:
        jobs.pause(session, job_id)
    thread.join(10)
    with database.session() as session:
        jobs.resume(session, job_id)
    executor.held = lambda _: False
    make_runner(database, tmp_path, executor).run_one()
    assert (job(database, job_id).state, len(executor.smoked)) == ("succeeded", 1)
    more = spec.model_copy(update={"baselines": ("uniform", "capped")})
    with database.session() as session:
        jobs.extend(session, jobs.get(session, job_id), more, question(more), planned(more))
    make_runner(database, tmp_path, executor).run_one()
    assert (job(database, job_id).state, len(executor.smoked)) == ("succeeded", 2)


def test_a_smoke_run_that_fails_ends_the_job_before_anything_is_trained(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.smoke = Smoke(5, {f"slimming params={keep} seed 0": "no memory is left" for keep in (1, 2, 3, 4)}, 1.0)
    job_id = submit(database, spec=SPEC.model_copy(update={"smoke": True}))
    runner = make_runner(database, tmp_path, executor)
    runner.run_one()
    ended = job(database, job_id)
    assert ended.state == "failed"
    assert ended.error is not None
    assert "4 of 5 arms. slimming params=1 seed 0: no memory is left; slimming params=2" in ended.error
    assert "params=4" not in ended.error
    assert executor.evaluated == []
    executor.smoke = Smoke(5, {}, 1.0)
    with database.session() as session:
        jobs.retry(session, job_id)
    runner.run_one()
    assert job(database, job_id).state == "succeeded"
    assert len(executor.smoked) == 2


def test_what_is_known_to_train_is_not_tried_for_a_batch(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    submit(database)
    runner = make_runner(database, tmp_path, executor)
    runner.run_one()
    again = submit(database, spec=SPEC.model_copy(update={"smoke": True, "name": "again"}))
    runner.run_one()
    assert job(database, again).state == "succeeded"
    assert executor.smoked == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TaskFailed("Diverged", "the loss is nan", False), "diverged"),
        (TaskFailed("OutOfMemoryError", "CUDA out of memory", False), "memory"),
        (TaskFailed("SpecError", "other images than then", True), "refused"),
        (TaskFailed("KeyError", "'weight'", False), "error"),
        (WorkerLost("its process ended"), "process"),
    ],
)
def test_failures_are_of_a_kind(error: Exception, kind: str, database: Database, tmp_path: Path) -> None:
    def trains_parent(task: Task) -> bool:
        return task.function is evaluate_candidate and task.args[0].origin.kind == "sparse"

    job_id = submit(database)
    make_runner(database, tmp_path, Mortal(trains_parent, 99, error)).run_one()
    with database.session() as session:
        found = {row.origin: row.failure for row in candidates.rows(session, job_id)}
        told = [EVENT.validate_python({"kind": e.kind, **e.data}) for e in events.after(session, job_id, 0, 1000)]
    assert found == {"sparse": kind, "pruned": "needed", "dense": None, "uniform": None}
    assert {one.failure for one in told if isinstance(one, CandidateFailed)} == {kind, "needed"}


def test_a_job_is_stopped_when_it_has_trained_for_as_long_as_it_may(database: Database, tmp_path: Path) -> None:
    """What it has stays, and is taken over for nothing by a job that asks for the same."""
    executor = FakeExecutor(cores=1)
    executor.seconds = 1000.0
    job_id = submit(database, SPEC.model_copy(update={"max_seconds": 2500.0}))
    runner = make_runner(database, tmp_path, executor)
    runner.run_one()
    stopped = job(database, job_id)
    assert stopped.state == "cancelled"
    assert stopped.error is not None
    assert "it was stopped after 3000 seconds of training, of 2500; what it has stays" in stopped.error
    done = Counter(states(database, job_id).values())["succeeded"]
    assert done == 3
    with database.session() as session:
        jobs.retry(session, job_id)
    runner.run_one()
    assert job(database, job_id).state == "cancelled"
    assert Counter(states(database, job_id).values())["succeeded"] == done, "it has had its time"
    again = submit(database, SPEC.model_copy(update={"max_seconds": 2500.0, "name": "again"}))
    runner.run_one()
    assert Counter(states(database, again).values())["succeeded"] == done + 3, "what is taken over costs nothing"


def test_a_job_that_is_trained_is_done_however_long_it_took(database: Database, tmp_path: Path) -> None:
    """What ended with the cap is kept, and what comes after training is not cut off."""
    executor = FakeExecutor()
    executor.seconds = 10.0
    job_id = submit(database, SPEC.model_copy(update={"max_seconds": 61.0}))  # the last of seven is begun below it
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    assert job(database, job_id).latencies


def test_time_that_was_trained_in_vain_counts_when_a_job_is_retried(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.held = lambda one: one.origin.kind == "uniform"
    runner = make_runner(database, tmp_path, executor, Caps(seconds=0.6))
    job_id = submit(database)
    runner.run_one()
    begun = executor.holds
    assert begun > 0
    with database.session() as session:
        assert candidates.trained(session, job_id) >= 0.6
        jobs.retry(session, job_id)
    runner.run_one()
    assert job(database, job_id).state == "cancelled"
    assert executor.holds == begun, "nothing is begun any more"


def test_what_runs_counts_towards_the_time_of_a_job(database: Database, tmp_path: Path) -> None:
    executor = FakeExecutor()
    executor.held = lambda _: True
    runner = make_runner(database, tmp_path, executor, Caps(seconds=0.5))
    job_id = submit(database)
    runner.run_one()
    assert job(database, job_id).state == "cancelled"
    assert executor.cancelled, "it does not go on"
    assert "of 0" in str(job(database, job_id).error)


def test_a_training_that_goes_on_counts_once(database: Database, tmp_path: Path) -> None:
    """Its result says how long it took in all."""
    executor = FakeExecutor(cores=1)
    executor.seconds = 3000.0
    job_id = submit(database, SPEC.model_copy(update={"max_seconds": 19_000.0}))  # the last of seven begins at 18,000
    with database.session() as session:
        candidates.note_interrupted(session, job_id, {candidates.rows(session, job_id)[0].key: 2400.0})
        assert candidates.trained(session, job_id) == 2400.0
    make_runner(database, tmp_path, executor).run_one()
    assert job(database, job_id).state == "succeeded"
    with database.session() as session:
        assert candidates.trained(session, job_id) == 21_000.0


def test_what_fails_or_loses_its_process_has_trained_as_well(database: Database, tmp_path: Path) -> None:
    class Slow(FakeExecutor):
        def submit(self, task: Task) -> Future[Any]:
            if task.function is not evaluate_candidate or task.args[0].origin.kind != "uniform":
                return super().submit(task)
            future: Future[Any] = Future()
            error = KILLED if task.args[0].seed else TaskFailed("Diverged", "the loss is nan", False)
            threading.Timer(0.2, future.set_exception, [error]).start()
            return future

    job_id = submit(database)
    make_runner(database, tmp_path, Slow()).run_one()
    with database.session() as session:
        assert candidates.trained(session, job_id) >= 0.2 * (1 + TRIES)
