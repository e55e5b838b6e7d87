"""The job's life: a table of transitions, claims that never collide, leases, and words that mean one thing."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from espalier.search.question import Question
from espalier.search.results import Execution, MadeBy
from espalier.search.spec import JobSpec
from espalier.search.states import FINISHED, JobState
from espalier.storage import candidates, events, jobs
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.errors import IdempotencyClash, LeaseLost, NotFound, WrongState
from espalier.storage.jobs import TRANSITIONS, Lease
from espalier.storage.tables import CandidateRow, JobRow
from tests.search.helpers import planned, question, result
from tests.storage.helpers import SPEC, submit


def state(database: Database, job_id: str) -> str:
    with database.session() as session:
        return jobs.get(session, job_id).state


def kinds(database: Database, job_id: str) -> list[str]:
    with database.session() as session:
        return [event.data["state"] for event in events.after(session, job_id, 0, 100) if event.kind == "state"]


def test_a_job_from_submission_to_success(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        job = jobs.claim(session, "me")
        assert job is not None
        assert (job.id, job.attempts, job.started_at is not None) == (job_id, 1, True)
    with database.session() as session:
        assert jobs.claim(session, "other") is None
        assert jobs.renew(session, Lease(job_id, "me", 1)) is None
        jobs.conclude(session, Lease(job_id, "me", 1), "succeed")
    assert kinds(database, job_id) == ["queued", "running", "succeeded"]
    with database.session() as session:
        job = jobs.get(session, job_id)
        assert job.finished_at is not None
        assert job.created_at <= job.started_at <= job.finished_at  # type: ignore[operator]
        assert job.created_at.tzinfo is not None


def test_many_runners_never_get_the_same_job(database: Database) -> None:
    submitted = {submit(database) for _ in range(24)}
    claimed: list[str] = []

    def claim(owner: str) -> None:
        while True:
            with database.session() as session:
                job = jobs.claim(session, owner)
            if job is None:
                return
            claimed.append(job.id)

    threads = [threading.Thread(target=claim, args=(f"runner {i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # On PostgreSQL a claim may find its row just taken and come back empty-handed: what is left is claimed later.
    claim("last")
    assert sorted(claimed) == sorted(submitted)


def test_the_oldest_job_comes_first(database: Database) -> None:
    order = [submit(database) for _ in range(3)]
    with database.session() as session:
        assert [jobs.claim(session, "me").id for _ in order] == order  # type: ignore[union-attr]


def test_a_lease_that_ran_out_passes_the_job_on_and_fences_the_old_runner(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        jobs.claim(session, "old")
        key = session.scalars(sa.select(CandidateRow.key).where(CandidateRow.job_id == job_id)).first()
        session.execute(sa.update(CandidateRow).where(CandidateRow.key == key).values(state="running"))
        session.execute(sa.update(JobRow).values(lease_until=now() - timedelta(seconds=1)))
    with database.session() as session:
        job = jobs.claim(session, "new")
        assert job is not None
        assert job.attempts == 2
        assert session.scalar(sa.select(sa.func.count()).where(CandidateRow.state == "running")) == 0
    with database.session() as session, pytest.raises(LeaseLost):
        jobs.renew(session, Lease(job_id, "old", 1))
    with database.session() as session, pytest.raises(LeaseLost):
        jobs.conclude(session, Lease(job_id, "old", 1), "succeed")
    assert state(database, job_id) == "running"


def test_a_process_that_knows_it_is_alone_reclaims_at_once(database: Database) -> None:
    submit(database)
    with database.session() as session:
        jobs.claim(session, "dead")
    with database.session() as session:
        jobs.reclaim(session)
    with database.session() as session:
        assert jobs.claim(session, "alive") is not None


def test_cancelling_a_running_job_is_a_wish(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        jobs.claim(session, "me")
    with database.session() as session:
        assert jobs.cancel(session, job_id).state == "running"
    with database.session() as session:
        assert jobs.renew(session, Lease(job_id, "me", 1)) == "cancel"
        jobs.conclude(session, Lease(job_id, "me", 1), "cancel")
    assert state(database, job_id) == "cancelled"
    with database.session() as session:
        assert jobs.retry(session, job_id).cancel_requested is False
    assert state(database, job_id) == "queued"


def test_cancelling_a_queued_job_is_done_at_once(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        jobs.cancel(session, job_id)
    assert kinds(database, job_id) == ["queued", "cancelled"]


def test_words_that_do_not_fit_the_state_are_refused(database: Database) -> None:
    job_id = submit(database)
    for verb, words in (
        (jobs.retry, "is queued; only finished jobs"),
        (jobs.delete, "is queued; cancel it first"),
    ):
        with database.session() as session, pytest.raises(WrongState, match=words):
            verb(session, job_id)
    with database.session() as session:
        jobs.cancel(session, job_id)
    with (
        database.session() as session,
        pytest.raises(WrongState, match="is cancelled; only queued, running and paused"),
    ):
        jobs.cancel(session, job_id)
    for verb in (jobs.get, jobs.cancel, jobs.retry, jobs.delete):
        with database.session() as session, pytest.raises(NotFound, match="no job 'nowhere'"):
            verb(session, "nowhere")


def test_deleting_takes_events_and_candidates_along(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        jobs.cancel(session, job_id)
    with database.session() as session:
        jobs.delete(session, job_id)
    with database.session() as session:
        for table in ("jobs", "job_events", "candidates"):
            assert session.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0


def test_an_idempotency_key_is_one_request(database: Database) -> None:
    job_id = submit(database, idempotency_key="k")
    with database.session() as session:
        assert jobs.find_repeated(session, "other", SPEC) is None
        found = jobs.find_repeated(session, "k", SPEC)
        assert found is not None
        assert found.id == job_id
        with pytest.raises(IdempotencyClash, match="was used for another request"):
            jobs.find_repeated(session, "k", SPEC.model_copy(update={"minimum_keep": 0.2}))
    with pytest.raises(sa.exc.IntegrityError):
        submit(database, idempotency_key="k")


def test_pages_are_newest_first(database: Database) -> None:
    order = [submit(database) for _ in range(3)]
    with database.session() as session:
        first = jobs.page(session, None, None, 2)
        assert [job.id for job in first] == order[:0:-1]
        assert [job.id for job in jobs.page(session, None, first[-1].number, 2)] == order[:1]
        assert jobs.page(session, JobState.RUNNING, None, 2) == []


@pytest.mark.parametrize(
    ("words", "found"), [("", 1), ("VGG", 1), ("digits", 1), ("%", 0), ("_", 0), ("resnet", 0), ("seeds", 0)]
)
def test_jobs_are_found_by_words_of_their_spec(words: str, found: int, database: Database) -> None:
    """In the network's name and the data's; `_` and `%` stand for themselves."""
    submit(database)
    with database.session() as session:
        assert len(jobs.page(session, None, None, 2, words)) == found


VERBS = st.lists(
    st.sampled_from(["claim", "succeed", "fail", "cancel", "pause", "resume", "retry", "extend", "release", "delete"]),
    max_size=12,
)


@given(verbs=VERBS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_walks_never_leave_the_table(database: Database, verbs: list[str]) -> None:
    with database.session() as session:
        session.execute(sa.delete(JobRow))
    job_id = submit(database)
    wished = False
    for verb in verbs:
        with database.session() as session:
            before = JobState(jobs.get(session, job_id).state)
        try:
            with database.session() as session:
                say(session, verb, job_id)
        except (WrongState, LeaseLost):
            after = JobState(state(database, job_id))
            assert after is before
            continue
        if verb == "delete":
            assert before in FINISHED
            return
        after = JobState(state(database, job_id))
        wished = wished or (verb in ("cancel", "pause") and before is JobState.RUNNING)
        if after is not before:
            sources, target = TRANSITIONS[verb]
            assert before in sources
            assert after is target


def say(session: Session, verb: str, job_id: str) -> None:
    if verb == "claim":
        jobs.claim(session, "me")
    elif verb in ("succeed", "fail", "release"):
        jobs.conclude(session, Lease(job_id, "me", jobs.get(session, job_id).attempts), verb)
    elif verb == "extend":
        extend(session, jobs.get(session, job_id))
    else:
        getattr(jobs, verb)(session, job_id)


def extend(session: Session, job: JobRow, **changes: Any) -> JobRow:
    spec = JobSpec.model_validate(job.spec | changes)
    return jobs.extend(session, job, spec, question(spec), planned(spec))


def finish(database: Database, job_id: str) -> None:
    with database.session() as session:
        job = jobs.claim(session, "me")
        assert job is not None
        jobs.conclude(session, Lease(job_id, "me", job.attempts), "succeed")


def test_pausing_a_running_job_is_a_wish_that_can_be_taken_back(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        jobs.claim(session, "me")
    lease = Lease(job_id, "me", 1)
    for verb, wanted in ((jobs.pause, "pause"), (jobs.resume, None), (jobs.pause, "pause")):
        with database.session() as session:
            assert verb(session, job_id).state == "running"
        with database.session() as session:
            assert jobs.renew(session, lease) == wanted
    with database.session() as session:
        jobs.conclude(session, lease, "pause")
        job = jobs.get(session, job_id)
        assert (job.state, job.pause_requested, job.finished_at) == ("paused", False, None)
        assert jobs.claim(session, "other") is None
        assert jobs.resume(session, job_id).state == "queued"
        with pytest.raises(WrongState, match="only paused jobs"):
            jobs.resume(session, job_id)


@pytest.mark.parametrize(("verb", "ends"), [("cancel", "cancelled"), ("resume", "queued"), (None, "paused")])
@pytest.mark.parametrize("said", ["pause", "release"])
def test_what_is_wanted_last_counts(database: Database, verb: str | None, ends: str, said: str) -> None:
    """The runner was told to pause, or is shut down, and lets go a moment later."""
    job_id = submit(database)
    with database.session() as session:
        jobs.claim(session, "me")
        jobs.pause(session, job_id)
        if verb:
            getattr(jobs, verb)(session, job_id)
    with database.session() as session:
        jobs.conclude(session, Lease(job_id, "me", 1), said)
        job = jobs.get(session, job_id)
        assert (job.state, job.cancel_requested, job.pause_requested) == (ends, False, False)


def test_an_extended_job_keeps_what_it_has(database: Database) -> None:
    job_id = submit(database)
    finish(database, job_id)
    with database.session() as session:
        before = candidates.keys(session, job_id)
        job = extend(session, jobs.get(session, job_id), seeds=[0, 7])
        after = candidates.rows(session, job_id)
    assert (job.state, job.total, job.finished_at) == ("queued", len(after), None)
    assert before < {row.key for row in after}
    assert {row.seed for row in after if row.key not in before} == {7}
    assert kinds(database, job_id)[-1] == "queued"
    with database.session() as session:
        assert events.added_seeds(session, job_id) == [7]


def test_a_job_that_is_not_finished_or_was_run_meanwhile_is_not_extended(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        seen = jobs.get(session, job_id)
    with database.session() as session, pytest.raises(WrongState, match="is queued; only finished"):
        extend(session, seen)
    finish(database, job_id)
    with database.session() as session, pytest.raises(WrongState, match="or has run since it was looked at"):
        extend(session, seen)


def test_a_job_whose_trainings_gave_other_numbers_is_not_extended(database: Database) -> None:
    job_id = submit(database)
    finish(database, job_id)
    with database.session() as session:
        session.execute(sa.update(CandidateRow).values(key=CandidateRow.key + "old"))
    with database.session() as session, pytest.raises(WrongState, match="run by another release"):
        extend(session, jobs.get(session, job_id))
    assert state(database, job_id) == "succeeded"


def test_results_of_two_releases_are_not_put_into_one_job(database: Database) -> None:
    one = planned(SPEC)[0]
    job_id = submit(
        database, outcomes=[result(one, made_by=MadeBy(espalier="0.0.9", torch="2", execution=Execution()))]
    )
    finish(database, job_id)
    with database.session() as session, pytest.raises(WrongState, match=r"another release \(0\.0\.9; this is"):
        extend(session, jobs.get(session, job_id), seeds=[0, 7])


def test_a_job_keeps_its_question_and_how_it_is_computed(database: Database) -> None:
    job_id = submit(database)
    with database.session() as session:
        jobs.remember_execution(session, job_id, Execution(threads=3))
    with database.session() as session:
        job = jobs.get(session, job_id)
        assert Question.read(job.question or {}) == question(SPEC)
        assert Execution.model_validate(job.execution) == Execution(threads=3)
