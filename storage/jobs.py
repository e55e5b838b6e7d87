"""Jobs: one state machine in one table of transitions, and the lease by which a runner holds a job."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.models.document import content_hash
from espalier.search.types import Candidate, Execution, JobSpec
from espalier.storage.errors import IdempotencyClash, LeaseLost, NotFound, TooManyQueued, WrongState
from espalier.storage.tables import CandidateRow, EventRow, JobRow

LEASE = timedelta(seconds=30)


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[str, tuple[frozenset[JobState], JobState]] = {
    "claim": (frozenset({JobState.QUEUED, JobState.RUNNING}), JobState.RUNNING),  # running: its lease has run out
    "succeed": (frozenset({JobState.RUNNING}), JobState.SUCCEEDED),
    "fail": (frozenset({JobState.RUNNING}), JobState.FAILED),
    "cancel": (frozenset({JobState.QUEUED, JobState.RUNNING}), JobState.CANCELLED),
    "retry": (frozenset({JobState.FAILED, JobState.CANCELLED}), JobState.QUEUED),
    "release": (frozenset({JobState.RUNNING}), JobState.QUEUED),  # the runner is shut down
}
"""Verb -> (states it may be said in, the state it leads to). Wanting a running job cancelled is a flag, not a state."""

FINISHED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def submit(
    session: Session,
    spec: JobSpec,
    candidates: Sequence[Candidate],
    idempotency_key: str | None = None,
    most_queued: int | None = None,
) -> JobRow:
    """Queue a job. Raises TooManyQueued. The caller has looked for `idempotency_key` with `find_repeated` before."""
    if most_queued is not None:
        queued = session.scalar(sa.select(sa.func.count()).where(JobRow.state == JobState.QUEUED)) or 0
        if queued >= most_queued:
            raise TooManyQueued(f"{queued} jobs are queued, the most this service takes is {most_queued}; try later")
    job = JobRow(
        id=secrets.token_hex(8),
        name=spec.name or f"{spec.target.arch} on {spec.target.dataset_name}",
        state=JobState.QUEUED,
        spec=spec.model_dump(mode="json"),
        total=len(candidates),
        idempotency_key=idempotency_key,
        request_hash=content_hash(spec),
        created_at=now(),
    )
    session.add(job)
    session.flush()
    session.add_all(_row(job.id, position, candidate) for position, candidate in enumerate(candidates))
    record(session, job.id, "state", {"state": job.state})
    return job


def _row(job_id: str, position: int, candidate: Candidate) -> CandidateRow:
    budget = candidate.budget
    return CandidateRow(
        job_id=job_id,
        key=candidate.key,
        position=position,
        candidate=candidate.model_dump(mode="json"),
        dataset=candidate.target.dataset_name,
        origin=candidate.origin.kind,
        method=candidate.method,
        budget_metric=budget.metric if budget else None,
        budget_keep=budget.keep if budget else None,
        seed=candidate.seed,
        init=candidate.init,
        conditions=content_hash({"recipe": candidate.recipe.model_dump(), "data": candidate.data}),
        state="queued",
    )


def find_repeated(session: Session, idempotency_key: str, spec: JobSpec) -> JobRow | None:
    """The job an idempotency key already made. Raises IdempotencyClash if it was for another spec."""
    job = session.scalar(sa.select(JobRow).where(JobRow.idempotency_key == idempotency_key))
    if job is not None and job.request_hash != content_hash(spec):
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


def page(session: Session, state: JobState | None, before: int | None, limit: int) -> Sequence[JobRow]:
    """Jobs, newest first, from below the number `before`."""
    query = sa.select(JobRow).order_by(JobRow.number.desc()).limit(limit)
    if state is not None:
        query = query.where(JobRow.state == state)
    if before is not None:
        query = query.where(JobRow.number < before)
    return session.scalars(query).all()


# --- the runner's side ----------------------------------------------------------------------------------------------


def claim(session: Session, owner: str) -> JobRow | None:
    """Take the oldest job that nobody holds: queued, or running under a lease that has run out.

    One statement, so that two runners never get the same job, on SQLite and PostgreSQL alike.
    """
    moment = now()
    free = sa.or_(
        JobRow.state == JobState.QUEUED,
        sa.and_(JobRow.state == JobState.RUNNING, JobRow.lease_until < moment),
    )
    oldest = sa.select(JobRow.number).where(free).order_by(JobRow.number).limit(1).scalar_subquery()
    job = session.scalar(
        sa.update(JobRow)
        .where(JobRow.number == oldest, free)
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
        interrupted = sa.update(CandidateRow).where(CandidateRow.job_id == job.id, CandidateRow.state == "running")
        session.execute(interrupted.values(state="queued"))
        record(session, job.id, "state", {"state": job.state, "attempt": job.attempts})
    return job


def reclaim(session: Session) -> None:
    """Let running jobs be claimed at once. Only for a process that knows that no other runner lives."""
    session.execute(sa.update(JobRow).where(JobRow.state == JobState.RUNNING).values(lease_until=now()))


def renew(session: Session, job_id: str, owner: str, attempt: int) -> bool:
    """Hold the job for another while; says whether its cancellation is wanted. Raises LeaseLost."""
    wanted: bool | None = session.scalar(
        sa.update(JobRow)
        .where(*_held(job_id, owner, attempt))
        .values(lease_until=now() + LEASE)
        .returning(JobRow.cancel_requested)
    )
    if wanted is None:
        raise LeaseLost(f"job {job_id} is no longer held by {owner} (attempt {attempt})")
    return wanted


def remember_execution(session: Session, job_id: str, execution: Execution) -> None:
    """Keep how the job's networks are computed, for the rest of its life."""
    session.execute(sa.update(JobRow).where(JobRow.id == job_id).values(execution=execution.model_dump()))


def conclude(session: Session, job_id: str, owner: str, attempt: int, verb: str, error: str | None = None) -> None:
    """Say how a held job ended: succeed, fail, cancel or release. Raises LeaseLost."""
    state = TRANSITIONS[verb][1]
    values: dict[str, Any] = {"state": state, "owner": None, "lease_until": None, "error": error}
    if state in FINISHED:
        values |= {"finished_at": now(), "cancel_requested": False}
    changed = session.execute(sa.update(JobRow).where(*_held(job_id, owner, attempt)).values(**values))
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise LeaseLost(f"job {job_id} is no longer held by {owner} (attempt {attempt})")
    _reset_running(session, job_id)
    record(session, job_id, "state", {"state": state} | ({"error": error} if error else {}))


def _reset_running(session: Session, job_id: str) -> None:
    running = sa.update(CandidateRow).where(CandidateRow.job_id == job_id, CandidateRow.state == "running")
    session.execute(running.values(state="queued"))


def _held(job_id: str, owner: str, attempt: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        JobRow.id == job_id,
        JobRow.state == JobState.RUNNING,
        JobRow.owner == owner,
        JobRow.attempts == attempt,
    )


# --- the user's side ------------------------------------------------------------------------------------------------


def cancel(session: Session, job_id: str) -> JobRow:
    """Cancel a queued job at once; ask the runner to stop a running one. Raises NotFound, WrongState."""
    job = get(session, job_id)
    if _moved(session, job_id, "cancel", only=JobState.QUEUED, finished_at=now()):
        record(session, job_id, "state", {"state": JobState.CANCELLED})
    else:
        asked = session.execute(
            sa.update(JobRow).where(JobRow.id == job_id, JobRow.state == JobState.RUNNING).values(cancel_requested=True)
        )
        if not asked.rowcount:  # type: ignore[attr-defined]
            raise WrongState(f"job {job_id} is {job.state}; only queued and running jobs can be cancelled")
    session.refresh(job)
    return job


def retry(session: Session, job_id: str) -> JobRow:
    """Queue a failed or cancelled job again; it goes on where it was. Raises NotFound, WrongState."""
    job = get(session, job_id)
    if not _moved(session, job_id, "retry", finished_at=None, error=None, cancel_requested=False):
        raise WrongState(f"job {job_id} is {job.state}; only failed and cancelled jobs can be retried")
    failed = sa.update(CandidateRow).where(CandidateRow.job_id == job_id, CandidateRow.state == "failed")
    session.execute(failed.values(state="queued", error=None))
    record(session, job_id, "state", {"state": JobState.QUEUED})
    session.refresh(job)
    return job


def delete(session: Session, job_id: str) -> None:
    """Forget a finished job, its events and candidates. Raises NotFound, WrongState."""
    job = get(session, job_id)
    if JobState(job.state) not in FINISHED:
        raise WrongState(f"job {job_id} is {job.state}; cancel it first, then delete it")
    session.delete(job)


def _moved(session: Session, job_id: str, verb: str, only: JobState | None = None, **values: Any) -> bool:
    sources, target = TRANSITIONS[verb]
    states = [only] if only else list(sources)
    statement = sa.update(JobRow).where(JobRow.id == job_id, JobRow.state.in_(states))
    return bool(session.execute(statement.values(state=target, **values)).rowcount)  # type: ignore[attr-defined]


# --- events ---------------------------------------------------------------------------------------------------------


def record(session: Session, job_id: str, kind: str, data: dict[str, Any]) -> None:
    """Write an event, in the transaction of what it tells of."""
    session.add(EventRow(job_id=job_id, at=now(), kind=kind, data=data))


def events(session: Session, job_id: str, after: int, limit: int) -> Sequence[EventRow]:
    """Events of a job with ids above `after`, in order."""
    return session.scalars(
        sa.select(EventRow).where(EventRow.job_id == job_id, EventRow.id > after).order_by(EventRow.id).limit(limit)
    ).all()
