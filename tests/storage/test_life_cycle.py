"""Any order of what users and runners do to jobs: every job is where a plain model of its life says, and what is not
allowed changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from espalier.search.results import Failure
from espalier.search.states import FINISHED, CandidateState, JobState
from espalier.storage import candidates, events, jobs
from espalier.storage.clock import shared_now
from espalier.storage.database import Database
from espalier.storage.errors import LeaseLost, NotFound, WrongState
from espalier.storage.jobs import Lease
from espalier.storage.tables import EventRow, JobRow
from tests.search.helpers import candidate, result
from tests.storage.helpers import submit

ASKED = [candidate("dense"), candidate("uniform")]
WAITING = (JobState.QUEUED, JobState.PAUSED)


@dataclass
class Model:
    """What is to be true of a job."""

    state: JobState = JobState.QUEUED
    attempts: int = 0
    priority: int = 0
    wish: set[str] = field(default_factory=set)
    owner: str | None = None
    has_lease: bool = False
    done: dict[str, CandidateState] = field(default_factory=dict)

    def rest(self, state: JobState) -> None:
        self.state, self.wish, self.owner, self.has_lease = state, set(), None, False


class LifeCycle(RuleBasedStateMachine):
    """Jobs in a database, and the model of each."""

    database: Database
    known = Bundle("known")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Model] = {}
        with self.database.session() as session:
            session.execute(sa.delete(JobRow))

    @precondition(lambda self: len(self.model) < 3)
    @rule(target=known)
    def submit(self) -> str:
        id = submit(self.database, ASKED)
        self.model[id] = Model()
        return id

    @rule(target=leases, owner=st.sampled_from(["one", "other"]))
    def claim(self, owner: str) -> Lease | None:
        free = [
            (-one.priority, place, id)
            for place, (id, one) in enumerate(self.model.items())
            if one.state == JobState.QUEUED or (one.state == JobState.RUNNING and not one.has_lease)
        ]
        with self.database.session() as session:
            found = jobs.claim(session, owner)
        assert (found and found.id) == (min(free)[2] if free else None)
        if found is None:
            return None
        one = self.model[found.id]
        one.state, one.owner, one.has_lease, one.attempts = JobState.RUNNING, owner, True, one.attempts + 1
        assert found.attempts == one.attempts
        return Lease(found.id, owner, one.attempts)

    def _holds(self, lease: Lease) -> Model | None:
        """The job, if the lease is still good: nobody else has claimed it since, and it has not come to rest."""
        one = self.model.get(lease.job_id)
        is_ours = one and (one.state, one.owner, one.attempts) == (JobState.RUNNING, lease.owner, lease.attempt)
        return one if is_ours else None

    @rule(lease=leases)
    def renew(self, lease: Lease | None) -> None:
        if lease is None:
            return
        one = self._holds(lease)
        with self.database.session() as session:
            if one is None:
                with pytest.raises(LeaseLost):
                    jobs.renew(session, lease)
                return
            wish = jobs.renew(session, lease)
        one.has_lease = True
        assert wish == ("cancel" if "cancel" in one.wish else "pause" if "pause" in one.wish else None)

    @rule(lease=leases, verb=st.sampled_from(["succeed", "fail", "cancel", "pause", "release"]))
    def conclude(self, lease: Lease | None, verb: str) -> None:
        if lease is None:
            return
        one = self._holds(lease)
        with self.database.session() as session:
            if one is None:
                with pytest.raises(LeaseLost):
                    jobs.conclude(session, lease, verb)
                return
            jobs.conclude(session, lease, verb)
        if verb in ("pause", "release"):
            verb = "cancel" if "cancel" in one.wish else "pause" if "pause" in one.wish else "release"
        one.rest(jobs.TRANSITIONS[verb][1])

    @rule(lease=leases, which=st.sampled_from(ASKED), succeeds=st.booleans())
    def train(self, lease: Lease | None, which: Any, succeeds: bool) -> None:
        if lease is None or (one := self._holds(lease)) is None or which.key in one.done:
            return
        with self.database.session() as session:
            candidates.start(session, lease.job_id, which)
        with self.database.session() as session:
            told = result(which, 0.5, 100) if succeeds else Failure(key=which.key, error="diverged")
            candidates.write(session, lease.job_id, told)
            candidates.write(session, lease.job_id, told)
        one.done[which.key] = CandidateState.SUCCEEDED if succeeds else CandidateState.FAILED

    @rule(lease=leases, which=st.sampled_from(ASKED))
    def begin(self, lease: Lease | None, which: Any) -> None:
        """And leave it there, as a runner does that is killed."""
        if lease is None or (one := self._holds(lease)) is None or which.key in one.done:
            return
        with self.database.session() as session:
            row = session.get(candidates.CandidateRow, (lease.job_id, which.key))
            if row is not None and row.state == CandidateState.QUEUED:
                candidates.start(session, lease.job_id, which)

    @rule()
    def let_leases_run_out(self) -> None:
        with self.database.session() as session:
            past = shared_now(session) - timedelta(seconds=1)
            session.execute(sa.update(JobRow).where(JobRow.state == JobState.RUNNING).values(lease_until=past))
        for one in self.model.values():
            one.has_lease = False

    @rule(id=known)
    def cancel(self, id: str) -> None:
        one = self.model.get(id)
        if self._allowed(id, jobs.cancel, one is not None and one.state not in FINISHED) and one:
            if one.state in WAITING:
                one.rest(JobState.CANCELLED)
            else:
                one.wish.add("cancel")

    @rule(id=known)
    def pause(self, id: str) -> None:
        one = self.model.get(id)
        if self._allowed(id, jobs.pause, one is not None and one.state in ("queued", "running")) and one:
            if one.state == JobState.QUEUED:
                one.rest(JobState.PAUSED)
            else:
                one.wish.add("pause")

    @rule(id=known)
    def resume(self, id: str) -> None:
        one = self.model.get(id)
        wanted = one is not None and (one.state == "paused" or (one.state == "running" and "pause" in one.wish))
        if self._allowed(id, jobs.resume, wanted) and one:
            if one.state == JobState.PAUSED:
                one.rest(JobState.QUEUED)
            else:
                one.wish.discard("pause")

    @rule(id=known)
    def retry(self, id: str) -> None:
        one = self.model.get(id)
        is_whole = one is not None and one.state == "succeeded" and CandidateState.FAILED not in one.done.values()
        if self._allowed(id, jobs.retry, one is not None and one.state in FINISHED and not is_whole) and one:
            one.rest(JobState.QUEUED)
            one.done = {key: state for key, state in one.done.items() if state == CandidateState.SUCCEEDED}

    @rule(id=known, priority=st.integers(-2, 2))
    def prioritise(self, id: str, priority: int) -> None:
        if id in self.model:
            with self.database.session() as session:
                jobs.prioritise(session, id, priority)
            self.model[id].priority = priority

    @rule(id=consumes(known))
    def delete(self, id: str) -> None:
        one = self.model.get(id)
        if self._allowed(id, jobs.delete, one is not None and one.state in FINISHED):
            del self.model[id]

    def _allowed(self, id: str, act: Any, allowed: bool) -> bool:
        """Do it, and be refused where that is right."""
        if id not in self.model:
            with self.database.session() as session, pytest.raises(NotFound):
                act(session, id)
            return False
        if not allowed:
            with pytest.raises(WrongState), self.database.session() as session:
                act(session, id)
            return False
        with self.database.session() as session:
            act(session, id)
        return True

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        with self.database.session() as session:
            rows = {row.id: row for row in session.scalars(sa.select(JobRow))}
            assert rows.keys() == self.model.keys()
            for id, one in self.model.items():
                row = rows[id]
                assert (row.state, row.attempts, row.owner) == (one.state, one.attempts, one.owner)
                assert (row.cancel_requested, row.pause_requested) == ("cancel" in one.wish, "pause" in one.wish)
                assert (row.finished_at is not None) == (one.state in FINISHED)
                states = {found.key: found.state for found in candidates.rows(session, id)}
                assert all(states[key] == state for key, state in one.done.items())
                if one.state != JobState.RUNNING:
                    assert CandidateState.RUNNING not in states.values(), "nothing runs of what rests"
                last = session.scalars(
                    sa.select(EventRow).where(EventRow.job_id == id, EventRow.kind == "state").order_by(EventRow.id)
                ).all()[-1]
                assert events.event_of(last).state == one.state, "the last that is told is where it stands"


def test_jobs_live_as_they_may(database: Database) -> None:
    machine = type("OnThisDatabase", (LifeCycle,), {"database": database})
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
