"""Jobs: one state machine in one table of transitions, and the lease under which a runner has a job."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Session, defer

from espalier.models.document import content_hash
from espalier.search.candidates import Candidate
from espalier.search.events import ExtendedEvent, StateEvent
from espalier.search.question import Question
from espalier.search.results import Execution, Latencies, Latency
from espalier.search.spec import Extension, JobSpec
from espalier.search.states import FINISHED, JobState
from espalier.search.version import VERSION
from espalier.storage import candidates, findings, notices
from espalier.storage.clock import now, shared_now
from espalier.storage.errors import IdempotencyClash, LeaseLost, NotFound, WrongState
from espalier.storage.events import record, thin
from espalier.storage.room import UNLIMITED, Room, asked_for, grant
from espalier.storage.tables import JobRow

LEASE = timedelta(seconds=30)
LATENCIES: TypeAdapter[Latencies] = TypeAdapter(Latencies)
NOTHING: Mapping[str, float] = {}
NO_WISH: Mapping[str, Any] = {"cancel_requested": False, "pause_requested": False}
"""Of a job that has got where its user wanted it, or begins anew."""


TRANSITIONS: Mapping[str, tuple[frozenset[JobState], JobState]] = {
    "claim": (frozenset({JobState.QUEUED, JobState.RUNNING}), JobState.RUNNING),  # running: its lease has run out
    "succeed": (frozenset({JobState.RUNNING}), JobState.SUCCEEDED),
    "fail": (frozenset({JobState.RUNNING}), JobState.FAILED),
    "cancel": (frozenset({JobState.QUEUED, JobState.RUNNING, JobState.PAUSED}), JobState.CANCELLED),
    "pause": (frozenset({JobState.QUEUED, JobState.RUNNING}), JobState.PAUSED),
    "resume": (frozenset({JobState.PAUSED}), JobState.QUEUED),
    "retry": (FINISHED, JobState.QUEUED),  # succeeded: if something of it failed
    "extend": (FINISHED, JobState.QUEUED),
    "release": (frozenset({JobState.RUNNING}), JobState.QUEUED),  # the runner is shut down
}
"""Verb -> (states it may be said in, the state it leads to). Wanting a running job cancelled is a flag, not a state."""


class Lease(NamedTuple):
    """A job as its runner has it, until the lease runs out or another attempt begins."""

    job_id: str
    owner: str
    attempt: int


def submit(
    session: Session,
    spec: JobSpec,
    question: Question,
    wanted: Sequence[Candidate],
    idempotency_key: str | None = None,
    room: Room = UNLIMITED,
    asked: JobSpec | None = None,
    submitted_by: str | None = None,
    macs: float = 0.0,
) -> JobRow:
    """Queue a job. Raises TooManyQueued. The caller has looked for `idempotency_key` with `find_repeated` before.
    `asked`: the spec as it came in, if not all of it was spelt out; `submitted_by`: the name of a token; `macs`: what
    it is planned to take."""
    room.check(session, submitted_by, macs)
    job = JobRow(
        id=secrets.token_hex(8),
        name=spec.name or f"{spec.target.arch} on {spec.target.dataset_name}",
        state=JobState.QUEUED,
        spec=spec.model_dump(mode="json"),
        question=question.model_dump(mode="json"),
        total=0,
        idempotency_key=idempotency_key,
        request_hash=content_hash(asked or spec),
        created_at=now(),
        submitted_by=submitted_by,
    )
    session.add(job)
    session.flush()
    grant(session, submitted_by, job.id, macs)
    candidates.add(session, job, wanted)
    record(session, job.id, StateEvent(state=JobState.QUEUED))
    return job


def longest_wait(session: Session) -> float:
    """Seconds since the oldest of the queued jobs was submitted; 0 if none is."""
    oldest = sa.select(JobRow.created_at).where(JobRow.state == JobState.QUEUED).order_by(JobRow.number).limit(1)
    since = session.scalar(oldest)
    return 0.0 if since is None else max(0.0, (now() - since).total_seconds())


def with_key(session: Session, idempotency_key: str) -> JobRow | None:
    """The job an idempotency key made."""
    return session.scalar(sa.select(JobRow).where(JobRow.idempotency_key == idempotency_key))


def find_repeated(session: Session, idempotency_key: str, spec: JobSpec) -> JobRow | None:
    """The same; raises IdempotencyClash if it was for another spec than this, as it came in."""
    job = with_key(session, idempotency_key)
    if job is not None and content_hash(spec) != job.request_hash and JobSpec.read(job.spec) != spec:
        raise IdempotencyClash(
            f"the idempotency key {idempotency_key!r} was used for another request (job {job.id}); use a new key"
        )
    return job


def get(session: Session, job_id: str) -> JobRow:
    """One job. Raises NotFound."""
    job = session.scalar(sa.select(JobRow).where(JobRow.id == job_id))
    if job is None:
        raise NotFound(f"no job {job_id!r}")
    return job


def trains_on(session: Session, data: str) -> bool:
    """Whether a job that has not ended, or may go on, is about the data set with this fingerprint."""
    over = (JobState.SUCCEEDED, JobState.FAILED)
    about = sa.and_(JobRow.state.not_in(over), JobRow.question["data"].as_string() == data)
    return session.scalar(sa.select(JobRow.id).where(about).limit(1)) is not None


def page(session: Session, state: JobState | None, before: int | None, limit: int, words: str = "") -> Sequence[JobRow]:
    """Jobs, newest first, from below the number `before`; with `words` in their name, network or data."""
    query = sa.select(JobRow).options(defer(JobRow.question), defer(JobRow.latencies))  # which no list shows
    query = query.order_by(JobRow.number.desc()).limit(limit)
    if state is not None:
        query = query.where(JobRow.state == state)
    if before is not None:
        query = query.where(JobRow.number < before)
    if words:
        target = JobRow.spec["target"]
        places = (JobRow.name, target["arch"].as_string(), sa.cast(target["dataset"], sa.Text))
        query = query.where(sa.or_(*(place.icontains(words, autoescape=True) for place in places)))
    return session.scalars(query).all()


# --- the runner's side ----------------------------------------------------------------------------------------------


def claim(session: Session, owner: str) -> JobRow | None:
    """Take the job of most priority, of equals the oldest, that nobody holds: queued, or running under a lease that has
    run out.

    One statement, so that two runners never get the same job, on SQLite and PostgreSQL alike.
    """
    moment = shared_now(session)
    free = sa.or_(
        JobRow.state == JobState.QUEUED,
        sa.and_(JobRow.state == JobState.RUNNING, JobRow.lease_until < moment),
    )
    first = sa.select(JobRow.number).where(free).order_by(JobRow.priority.desc(), JobRow.number).limit(1)
    job = session.scalar(
        sa.update(JobRow)
        .where(JobRow.number == first.scalar_subquery(), free)
        .values(
            state=JobState.RUNNING,
            owner=owner,
            lease_until=moment + LEASE,
            attempts=JobRow.attempts + 1,
            started_at=sa.func.coalesce(JobRow.started_at, sa.bindparam(None, moment, JobRow.started_at.type)),
            finished_at=None,
            error=None,
        )
        .returning(JobRow)
    )
    if job is not None:
        candidates.move_all(session, job.id, "interrupt")
        record(session, job.id, StateEvent(state=JobState.RUNNING, attempt=job.attempts))
    return job


def reclaim(session: Session, owner: str | None = None) -> None:
    """Let running jobs be claimed at once: those that this runner dropped when the database failed it, or all of them.
    The latter only for a process that knows that no other runner lives."""
    running = sa.update(JobRow).where(JobRow.state == JobState.RUNNING)
    if owner is not None:
        running = running.where(JobRow.owner == owner)
    before = shared_now(session) - timedelta(milliseconds=1)  # run out at this very moment, too
    session.execute(running.values(lease_until=before))


def renew(session: Session, lease: Lease) -> Literal["cancel", "pause"] | None:
    """Extend the lease; says what the user wants with the job, if not that it goes on. Raises LeaseLost."""
    until = shared_now(session) + LEASE
    wanted = sa.update(JobRow).where(*_leased(lease)).values(lease_until=until)
    found = session.execute(wanted.returning(JobRow.cancel_requested, JobRow.pause_requested)).one_or_none()
    if found is None:
        raise _lost(lease)
    return "cancel" if found.cancel_requested else "pause" if found.pause_requested else None


def remember_execution(session: Session, job_id: str, execution: Execution) -> None:
    """Keep how the job's networks are computed, for the rest of its life."""
    session.execute(sa.update(JobRow).where(JobRow.id == job_id).values(execution=execution.model_dump()))


def remember_latencies(session: Session, job_id: str, latencies: Latencies) -> None:
    """Keep what running the job's networks takes; of one image, with their candidates, too."""
    stored = LATENCIES.dump_python(latencies, mode="json")
    session.execute(sa.update(JobRow).where(JobRow.id == job_id).values(latencies=stored))
    candidates.correct_latencies(session, job_id, {id: found[0].median_ms for id, found in latencies.items() if found})


def latencies_of(job: JobRow) -> Latencies:
    """What running a job's networks takes, as far as it was measured."""
    return LATENCIES.validate_python(job.latencies or {})


def latency_of(session: Session, architecture: str, job_ids: Collection[str]) -> tuple[Latency, ...]:
    """What running an architecture takes, as the newest of these jobs measured it."""
    query = sa.select(JobRow.latencies).where(JobRow.id.in_(job_ids), JobRow.latencies.is_not(None))
    for stored in session.scalars(query.order_by(JobRow.number.desc())):
        if stored and architecture in stored:
            return LATENCIES.validate_python({architecture: stored[architecture]})[architecture]
    return ()


def conclude(
    session: Session, lease: Lease, verb: str, error: str | None = None, interrupted: Mapping[str, float] = NOTHING
) -> None:
    """Say how a leased job ended: succeed, fail, cancel, pause or release. Of the last two, what its user wants by now
    counts. `interrupted`: seconds of trainings that ended with it, by key. Raises LeaseLost."""
    if verb in ("pause", "release"):
        verb = renew(session, lease) or "release"
    state = TRANSITIONS[verb][1]
    values: dict[str, Any] = {"state": state, "owner": None, "lease_until": None, "error": error, **NO_WISH}
    if state in FINISHED:
        values["finished_at"] = now()
    changed = session.execute(sa.update(JobRow).where(*_leased(lease)).values(**values))
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise _lost(lease)
    candidates.move_all(session, lease.job_id, "interrupt")
    candidates.note_interrupted(session, lease.job_id, interrupted)
    record(session, lease.job_id, StateEvent(state=state, error=error))
    if state in FINISHED:
        thin(session, lease.job_id)
        notices.note(session, lease.job_id, state)


def _leased(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        JobRow.id == lease.job_id,
        JobRow.state == JobState.RUNNING,
        JobRow.owner == lease.owner,
        JobRow.attempts == lease.attempt,
    )


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"job {lease.job_id} is no longer leased to {lease.owner} (attempt {lease.attempt})")


# --- the user's side ------------------------------------------------------------------------------------------------


def cancel(session: Session, job_id: str) -> JobRow:
    """Cancel a job that does not run at once; ask the runner to stop a running one. Raises NotFound, WrongState."""
    only = "only queued, running and paused jobs can be cancelled"
    return _stopped(session, job_id, "cancel", "cancel_requested", only, finished_at=now())


def pause(session: Session, job_id: str) -> JobRow:
    """Let a queued job wait until it is resumed; ask the runner to let go of a running one, which keeps its
    checkpoints. Raises NotFound, WrongState."""
    return _stopped(session, job_id, "pause", "pause_requested", "only queued and running jobs can be paused")


def _stopped(session: Session, job_id: str, verb: str, wish: str, only: str, **values: Any) -> JobRow:
    """A job that is where its user wants it, or whose runner is told of the wish."""
    job = get(session, job_id)
    if _moved(session, job_id, verb, JobRow.state != JobState.RUNNING, **values, **NO_WISH):
        state = TRANSITIONS[verb][1]
        record(session, job_id, StateEvent(state=state))
        if state in FINISHED:
            notices.note(session, job_id, state)
    elif not _asked(session, job_id, **{wish: True}):
        raise WrongState(f"job {job_id} is {job.state}; {only}")
    session.refresh(job)
    return job


def resume(session: Session, job_id: str) -> JobRow:
    """Queue a paused job again, in its place; one that was only asked to pause goes on. Raises NotFound, WrongState."""
    job = get(session, job_id)
    if _moved(session, job_id, "resume", **NO_WISH):
        record(session, job_id, StateEvent(state=JobState.QUEUED))
    elif not (job.pause_requested and _asked(session, job_id, pause_requested=False)):
        raise WrongState(f"job {job_id} is {job.state}; only paused jobs can be resumed")
    session.refresh(job)
    return job


def prioritise(session: Session, job_id: str, priority: int) -> JobRow:
    """Begin a job before those of less priority, or after those of more; one that runs goes on. Raises NotFound."""
    job = get(session, job_id)
    job.priority = priority
    return job


def retry(session: Session, job_id: str, room: Room = UNLIMITED) -> JobRow:
    """Queue a finished job again that is not whole; it goes on where it was. Raises NotFound, WrongState,
    TooManyQueued."""
    job = get(session, job_id)
    if job.state == JobState.SUCCEEDED and not candidates.progress(session, [job_id])[job_id].failed:
        raise WrongState(f"job {job_id} is succeeded, and none of its candidates failed; there is nothing to retry")
    if job.state not in FINISHED:
        raise WrongState(f"job {job_id} is {job.state}; only finished jobs can be retried")
    room.check(session, job.submitted_by)
    if not _moved(session, job_id, "retry", finished_at=None, error=None, **NO_WISH):
        raise WrongState(f"job {job_id} has changed since it was looked at; only finished jobs can be retried")
    candidates.move_all(session, job_id, "retry", error=None, failure=None)
    record(session, job_id, StateEvent(state=JobState.QUEUED))
    session.refresh(job)
    return job


def extend(
    session: Session,
    job: JobRow,
    spec: JobSpec,
    question: Question,
    wanted: Sequence[Candidate],
    room: Room = UNLIMITED,
    macs: float = 0.0,
) -> JobRow:
    """Queue a finished job again, for more than it was asked for; what it has stays. `macs`: what it takes with that.
    Raises NotFound, TooManyQueued, WrongState: also where what it has was made by another release, since the two would
    not be compared."""
    had, made_by = candidates.keys(session, job.id), candidates.releases(session, job.id)
    if made_by - {VERSION} or (had and had.isdisjoint(one.key for one in wanted)):
        raise WrongState(
            f"job {job.id} was run by another release ({', '.join(sorted(made_by)) or 'unknown'}; this is {VERSION}), "
            "whose results are not compared with those of this one; submit it anew with what is to be added"
        )
    added = Extension.between(JobSpec.read(job.spec), spec)
    if (state := get(session, job.id).state) not in FINISHED:
        raise WrongState(f"job {job.id} is {state}; only finished jobs are extended")
    more = max(0.0, macs - asked_for(session, job.id))
    room.check(session, job.submitted_by, more)
    grant(session, job.submitted_by, job.id, more)
    asked = {"spec": spec.model_dump(mode="json"), "question": question.model_dump(mode="json"), **NO_WISH}
    if not _moved(session, job.id, "extend", JobRow.attempts == job.attempts, finished_at=None, error=None, **asked):
        state = get(session, job.id).state
        raise WrongState(f"job {job.id} is {state}, or has run since it was looked at; only finished jobs are extended")
    job = get(session, job.id)
    session.refresh(job)
    candidates.add(session, job, wanted)
    record(session, job.id, ExtendedEvent(added=added))
    record(session, job.id, StateEvent(state=JobState.QUEUED))
    return job


def delete(session: Session, job_id: str) -> None:
    """Forget a finished job, its events and candidates. Raises NotFound, WrongState."""
    job = get(session, job_id)
    if JobState(job.state) not in FINISHED:
        raise WrongState(f"job {job_id} is {job.state}; cancel it first, then delete it")
    places = findings.places_of(session, job_id)
    session.delete(job)
    findings.refresh(session, places)


def _asked(session: Session, job_id: str, **wish: bool) -> bool:
    """Tell the runner of a running job what is wanted; whether one runs it."""
    statement = sa.update(JobRow).where(JobRow.id == job_id, JobRow.state == JobState.RUNNING)
    return bool(session.execute(statement.values(**wish)).rowcount)  # type: ignore[attr-defined]


def _moved(session: Session, job_id: str, verb: str, *only: sa.ColumnElement[bool], **values: Any) -> bool:
    sources, target = TRANSITIONS[verb]
    statement = sa.update(JobRow).where(JobRow.id == job_id, JobRow.state.in_(list(sources)), *only)
    return bool(session.execute(statement.values(state=target, **values)).rowcount)  # type: ignore[attr-defined]
