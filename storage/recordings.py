"""A finished job as one document, and back: to look at where it was not run. Weights are not in it."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy.orm import Session

from espalier.models.document import Document, Frozen, content_hash
from espalier.search.candidates import Candidate
from espalier.search.events import StateEvent
from espalier.search.results import Failure, FailureKind, Result
from espalier.search.states import FINISHED, JobState
from espalier.storage import candidates, jobs, patterns
from espalier.storage.errors import WrongState
from espalier.storage.events import record
from espalier.storage.tables import CandidateRow, JobRow


class Recorded(Frozen):
    """One training, as its row has it."""

    key: str
    arm: str | None
    candidate: dict[str, Any]
    result: dict[str, Any] | None = None
    error: str | None = None
    failure: FailureKind = "error"


class Recording(Document):
    """A finished job: what was asked, what came of every training, what running the networks takes."""

    schema_version: int = 1
    name: str
    state: JobState
    spec: dict[str, Any]
    question: dict[str, Any] | None
    execution: dict[str, Any] | None
    latencies: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None = None
    trainings: tuple[Recorded, ...] = Field(description="in the order in which they were asked for")


def recording(session: Session, job_id: str) -> Recording:
    """Write a job down. Raises NotFound, or WrongState if it has not ended."""
    job = jobs.get(session, job_id)
    if job.state not in FINISHED:
        raise WrongState(f"job {job_id} is {job.state}; a job is recorded when it has ended")
    return Recording(trainings=tuple(map(_recorded, candidates.rows(session, job_id))), **_columns(job))


def _recorded(row: CandidateRow) -> Recorded:
    result = None if row.result is None else row.result | {"artifacts": {}}  # no file comes along
    told = {} if row.failure is None else {"failure": row.failure}
    return Recorded(key=row.key, arm=row.arm, candidate=row.candidate, result=result, error=row.error, **told)


def _columns(job: JobRow | Recording) -> dict[str, Any]:
    """What a job's row and a recording of it have alike."""
    return {name: getattr(job, name) for name in Recording.model_fields.keys() - {"schema_version", "trainings"}}


def enter(session: Session, found: Recording) -> JobRow:
    """Put a recorded job beside the others, under an id of its own, with its times; its patterns into the library."""
    job = JobRow(**_columns(found), id=secrets.token_hex(8), total=0, request_hash=content_hash(found.spec))
    session.add(job)
    session.flush()
    wanted = [Candidate.stored(one.candidate, one.key, one.arm) for one in found.trainings]
    candidates.add(session, job, wanted)
    for candidate, one in zip(wanted, found.trainings, strict=True):
        if one.result is not None:
            candidates.write(session, job.id, Result.read(one.result), taken_over=True)
        elif one.error is not None:
            candidates.write(session, job.id, Failure(key=candidate.key, error=one.error, kind=one.failure))
    jobs.remember_latencies(session, job.id, jobs.latencies_of(job))
    record(session, job.id, StateEvent(state=found.state))
    session.flush()
    if found.state == JobState.SUCCEEDED:
        patterns.remember(session, job.id)
    return job
