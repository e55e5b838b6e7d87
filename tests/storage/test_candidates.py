"""Candidates: one table of transitions, written once, read many ways."""

from __future__ import annotations

import contextlib

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from espalier.search.events import CandidateFailed, CandidateFinished, CandidateStarted, Event
from espalier.search.results import Effort, Execution, Failure, Ledger, MadeBy, Metric
from espalier.search.states import ENDED, CandidateState
from espalier.storage import candidates, events, jobs
from espalier.storage.candidates import TRANSITIONS, Best, Pace
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.errors import WrongState
from espalier.storage.tables import ArtifactRow, CandidateRow, JobRow
from tests.search.helpers import candidate, outcome, result
from tests.storage.helpers import submit

CANDIDATES = [candidate("dense"), *(candidate("uniform", seed=s) for s in range(3)), candidate("pruned", keep=0.1)]


@pytest.fixture
def job_id(database: Database) -> str:
    return submit(
        database,
        CANDIDATES,
        [
            result(CANDIDATES[0], 0.9, 1000),
            *(
                result(c, 0.5 + 0.1 * i, 100, artifacts={"weights": "f" * 64})
                for i, c in enumerate(CANDIDATES[1:4])
            ),
            Failure(key=CANDIDATES[4].key, error="diverged"),
        ],
    )  # fmt: skip


def state(database: Database, job_id: str, key: str) -> CandidateState:
    with database.session() as session:
        row = session.get(CandidateRow, (job_id, key))
        assert row is not None
        return CandidateState(row.state)


def told(database: Database, job_id: str) -> list[Event]:
    """What the job told of its candidates."""
    with database.session() as session:
        found = events.after(session, job_id, 0, 1000)
        return [events.event_of(row) for row in found if row.kind == "candidate"]


def test_what_is_written_is_read_back(database: Database, job_id: str) -> None:
    with database.session() as session:
        found = candidates.results(session, job_id)
        rows = candidates.rows(session, job_id)
        progress = candidates.progress(session, [job_id])[job_id]
    assert [*found] == [one.key for one in CANDIDATES[:4]]
    assert found[CANDIDATES[0].key] == result(CANDIDATES[0], 0.9, 1000)
    assert [(row.state, row.error) for row in rows] == [("succeeded", None)] * 4 + [("failed", "diverged")]
    assert progress == (5, 0, 5, 4.0, 1)
    assert [candidates.candidate_of(row) for row in rows] == CANDIDATES
    assert candidates.result_of(rows[4]) is None


def test_writing_again_changes_nothing(database: Database, job_id: str) -> None:
    with database.session() as session:
        before = len(events.after(session, job_id, 0, 1000))
        candidates.write(session, job_id, result(CANDIDATES[0], 0.1, 1000))
        candidates.write(session, job_id, Failure(key=CANDIDATES[1].key, error="too late"))
    with database.session() as session:
        assert candidates.results(session, job_id)[CANDIDATES[0].key].reported == 0.9
        assert len(events.after(session, job_id, 0, 1000)) == before


def test_what_is_none_of_the_jobs_is_not_written(database: Database, job_id: str) -> None:
    with database.session() as session:
        candidates.write(session, job_id, Failure(key="0" * 32, error="whose is it"))
        assert len(candidates.rows(session, job_id)) == 5


def test_pages_of_candidates_follow_the_plan(database: Database, job_id: str) -> None:
    with database.session() as session:
        pages = [candidates.page(session, job_id, offset, 2) for offset in (0, 2, 4)]
    assert [[row.key for row in page] for page in pages] == [[c.key for c in CANDIDATES[i : i + 2]] for i in (0, 2, 4)]


def test_results_are_found_again_by_key(database: Database, job_id: str) -> None:
    other = submit(database, CANDIDATES)
    with database.session() as session:
        assert {r.key for r in candidates.known(session, other)} == {c.key for c in CANDIDATES[:4]}
        assert candidates.known(session, job_id) == []


def test_what_a_planner_asks_for_later_comes_behind_and_once(database: Database, job_id: str) -> None:
    later = candidate("random", seed=7)
    with database.session() as session:
        job = jobs.get(session, job_id)
        assert candidates.add(session, job, [CANDIDATES[0], later, CANDIDATES[4]]) == [later]
        assert candidates.add(session, job, [later]) == []
        assert job.total == 6
    with database.session() as session:
        rows = candidates.rows(session, job_id)
        assert [(row.position, row.state) for row in rows][-1] == (5, "queued")
        assert [row.key for row in rows] == [c.key for c in (*CANDIDATES, later)]
        assert candidates.progress(session, [job_id])[job_id] == (5, 0, 6, 4.0, 1)


def test_columns_follow_from_the_candidate(database: Database, job_id: str) -> None:
    with database.session() as session:
        rows = candidates.rows(session, job_id)
    for row, one in zip(rows, CANDIDATES, strict=True):
        assert {name: getattr(row, name) for name in candidates.columns(one)} == candidates.columns(one)
    assert [row.role for row in rows] == ["reference", *["baseline"] * 3, "automatic"]
    assert len({row.arm for row in rows}) == 3, "seeds are one arm"
    assert (rows[4].method, rows[4].budget_metric, rows[4].budget_keep) == ("slimming", "params", 0.1)
    assert (rows[0].method, rows[0].budget_metric, rows[0].budget_keep) == (None, None, None)


# --- states ---------------------------------------------------------------------------------------------------------

ONE = CANDIDATES[1]


def say(session: Session, job_id: str, verb: str) -> None:
    """Say a verb of one candidate, as the runner does."""
    if verb == "start":
        candidates.start(session, job_id, ONE)
    elif verb == "succeed":
        candidates.write(session, job_id, result(ONE))
    elif verb == "fail":
        candidates.write(session, job_id, Failure(key=ONE.key, error="it broke"))
    else:
        candidates.move_all(session, job_id, verb)


@given(verbs=st.lists(st.sampled_from(sorted(TRANSITIONS)), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_walks_never_leave_the_table(database: Database, verbs: list[str]) -> None:
    with database.session() as session:
        session.execute(sa.delete(JobRow))
    job_id = submit(database, [ONE])
    for verb in verbs:
        before = state(database, job_id, ONE.key)
        with contextlib.suppress(WrongState), database.session() as session:
            say(session, job_id, verb)
        sources, target = TRANSITIONS[verb]
        after = state(database, job_id, ONE.key)
        assert after is (target if before in sources else before)


def test_every_state_can_be_reached_and_left_in_some_way() -> None:
    targets = {target for _, target in TRANSITIONS.values()}
    sources = frozenset().union(*(sources for sources, _ in TRANSITIONS.values()))
    assert targets == sources == set(CandidateState)


def test_a_verb_in_a_wrong_state_is_refused(database: Database, job_id: str) -> None:
    failed, never = CANDIDATES[4], candidate("random")
    for one, words in ((failed, "is failed, and cannot start"), (never, "is not of this job, and cannot start")):
        with pytest.raises(WrongState, match=f"candidate {one.key} {words}"), database.session() as session:
            candidates.start(session, job_id, one)
    with database.session() as session:
        candidates.start(session, job_id, ONE)
    with pytest.raises(WrongState, match="is running, and cannot start"), database.session() as session:
        candidates.start(session, job_id, ONE)
    with database.session() as session:
        assert len(candidates.rows(session, job_id)) == 5
    assert len(told(database, job_id)) == 6, "what is refused tells nothing"


def test_a_succeeded_candidate_whose_weights_were_lost_runs_again(database: Database, job_id: str) -> None:
    with database.session() as session:
        candidates.start(session, job_id, ONE)
    assert state(database, job_id, ONE.key) is CandidateState.RUNNING
    with database.session() as session:
        candidates.write(session, job_id, result(ONE, 0.7, artifacts={"weights": "a" * 64, "log": "b" * 64}))
    with database.session() as session:
        again = candidates.results(session, job_id)[ONE.key]
        kept = sa.select(ArtifactRow.name, ArtifactRow.hash).where(ArtifactRow.key == ONE.key)
        assert {tuple(row) for row in session.execute(kept)} == {("weights", "a" * 64), ("log", "b" * 64)}
        assert candidates.artifacts_of(session, job_id) == {"a" * 64, "b" * 64, "f" * 64}
    assert again.reported == 0.7
    assert state(database, job_id, ONE.key) is CandidateState.SUCCEEDED


def test_a_candidate_tells_its_story(database: Database) -> None:
    one, two = CANDIDATES[:2]
    job_id = submit(database, [one, two])
    with database.session() as session:
        candidates.start(session, job_id, one)
        candidates.write(session, job_id, result(one, 0.9))
        candidates.write(session, job_id, Failure(key=two.key, error="its parent failed"))
    assert told(database, job_id) == [
        CandidateStarted(candidate=one.key, label=one.label),
        CandidateFinished(candidate=one.key, label=one.label, accuracy=0.9, seconds=1.0),
        CandidateFailed(candidate=two.key, label=two.label, error="its parent failed"),
    ]


def test_a_runner_that_is_gone_leaves_nothing_running(database: Database, job_id: str) -> None:
    other = submit(database, CANDIDATES[:2])
    for job in (job_id, other):
        with database.session() as session:
            candidates.start(session, job, ONE)
    with database.session() as session:
        candidates.move_all(session, job_id, "interrupt")
    assert state(database, job_id, ONE.key) is CandidateState.QUEUED
    assert state(database, other, ONE.key) is CandidateState.RUNNING, "another job's are another runner's"


def test_a_retry_forgets_the_error(database: Database, job_id: str) -> None:
    with database.session() as session:
        candidates.move_all(session, job_id, "retry", error=None)
    with database.session() as session:
        rows = candidates.rows(session, job_id)
    assert [(row.state, row.error) for row in rows] == [("succeeded", None)] * 4 + [("queued", None)]


def test_ended_states_are_those_that_count_as_done(database: Database, job_id: str) -> None:
    with database.session() as session:
        done = sum(CandidateState(row.state) in ENDED for row in candidates.rows(session, job_id))
        assert candidates.progress(session, [job_id, "nowhere"])[job_id].done == done
        assert "nowhere" not in candidates.progress(session, [job_id, "nowhere"])


def test_artifacts_are_referred_to_while_a_job_has_them(database: Database, job_id: str) -> None:
    other = submit(
        database,
        CANDIDATES,
        [
            result(CANDIDATES[1], 0.5, 100, artifacts={"weights": "f" * 64}),
            result(CANDIDATES[0], 0.9, 1000, artifacts={"weights": "a" * 64}),
        ],
    )
    with database.session() as session:
        hashes = candidates.artifacts_of(session, other)
        assert hashes == {"a" * 64, "f" * 64}
        assert candidates.referenced(session, {*hashes, "0" * 64}) == hashes
        jobs.cancel(session, other)
        jobs.delete(session, other)
        session.flush()
        assert candidates.referenced(session, hashes) == {"f" * 64}
        assert candidates.artifacts_of(session, other) == set()
        assert candidates.artifacts_of(session, job_id) == {"f" * 64}


def test_the_pace_is_that_of_the_last_trainings(database: Database) -> None:
    def trained(macs: int, seconds: float) -> None:
        effort = Effort(epochs=1, images=1, macs=macs, seconds=seconds)
        made = MadeBy(espalier="0", torch="0", execution=Execution(threads=2))
        ledger = Ledger(own=effort, pipeline=effort)
        one = result(CANDIDATES[1], seconds=seconds, ledger=ledger, made_by=made)
        submit(database, CANDIDATES, [one])
        with database.session() as session:
            session.execute(sa.update(JobRow).values(started_at=now()))

    with database.session() as session:
        assert candidates.pace(session) is None
    trained(10_000, 1.0)
    trained(1_000_000, 4.0)
    trained(3_000_000, 4.0)
    with database.session() as session:
        assert candidates.pace(session, last=2) == Pace(500_000, images_per_second=0.25, seconds=4.0, threads=2)


def test_the_best_of_a_job_is_by_the_hold_out_and_no_dense_network(database: Database) -> None:
    known = [
        outcome("dense", 0.99, 1000),
        outcome("uniform", 0.6, 100, keep=0.1),
        outcome("pruned", 0.7, 90, keep=0.1),
        outcome("pruned", 0.65, 90, keep=0.1, seed=1),
    ]
    job = submit(database, [one for one, _ in known], [result for _, result in known])
    other = submit(database)
    with database.session() as session:
        found = candidates.best(session, [job, other])
    assert found == {job: Best("slimming", 0.7, 90)}


def test_where_less_is_better_the_best_is_the_least(database: Database) -> None:
    error = Metric(name="error", unit="pixels", higher_is_better=False)
    known = [candidate("uniform"), candidate("pruned")]
    found = [
        result(one, params=90, metric=error, holdout={"error": value}, test={"error": value + 1})
        for one, value in zip(known, (2.0, 3.0), strict=True)
    ]
    job = submit(database, known, found)
    with database.session() as session:
        assert candidates.best(session, [job]) == {job: Best("uniform", 3.0, 90)}
