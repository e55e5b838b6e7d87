"""Events of jobs: written in the transaction of what they tell of, read in order."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.search.events import EVENT, Event, ExtendedEvent
from espalier.storage.clock import now
from espalier.storage.tables import EventRow

MOST_EPOCHS = 10_000
"""That are told of one job when it has ended."""
CHANGES = ("state", "candidate", "extended", "measuring", "transfer")
"""Kinds of events after which other things may be said of a job."""


def record(session: Session, job_id: str, event: Event) -> None:
    """Write an event, in the transaction of what it tells of."""
    data = event.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
    session.add(EventRow(job_id=job_id, at=now(), kind=event.kind, data=data))


def thin(session: Session, job_id: str) -> None:
    """Keep no more epochs of a job that has ended than `MOST_EPOCHS`: every second, third, … of each training. Its
    result has its whole curve."""
    own = (EventRow.job_id == job_id, EventRow.kind == "epoch")
    count = session.scalar(sa.select(sa.func.count()).where(*own)) or 0
    step = -(-count // MOST_EPOCHS)
    if step > 1:
        others = EventRow.data["epoch"].as_integer() % step != 0
        session.execute(sa.delete(EventRow).where(*own, others).execution_options(synchronize_session=False))


def after(session: Session, job_id: str, position: int, limit: int) -> Sequence[EventRow]:
    """Events of a job with ids above a position, in order."""
    query = sa.select(EventRow).where(EventRow.job_id == job_id, EventRow.id > position)
    return session.scalars(query.order_by(EventRow.id).limit(limit)).all()


def newest(session: Session, job_id: str, limit: int) -> Sequence[EventRow]:
    """The last events of a job, newest first."""
    query = sa.select(EventRow).where(EventRow.job_id == job_id)
    return session.scalars(query.order_by(EventRow.id.desc()).limit(limit)).all()


def passed_smoke(session: Session, job_id: str) -> bool:
    """Whether a job's smoke run went well, and nothing was added to the job since."""
    told = (EventRow.job_id == job_id, EventRow.kind.in_(("smoke", "extended")))
    newest = session.scalars(sa.select(EventRow).where(*told).order_by(EventRow.id.desc()).limit(1)).first()
    return newest is not None and newest.kind == "smoke" and newest.data.get("passed") is not None


def added_seeds(session: Session, job_id: str) -> list[int]:
    """Seeds that were added to a job when it had ended, in order."""
    query = sa.select(EventRow).where(EventRow.job_id == job_id, EventRow.kind == "extended")
    found = [event_of(row) for row in session.scalars(query.order_by(EventRow.id))]
    return [seed for event in found if isinstance(event, ExtendedEvent) for seed in event.added.seeds]


def event_of(row: EventRow) -> Event:
    """An event as it was written."""
    return EVENT.validate_python({"kind": row.kind, **row.data})


def last_change(session: Session, job_id: str) -> tuple[int, int]:
    """Which of a job's events was the last that changes what can be said of it, and how many there are: with two
    writers, ids do not come in their order. Epochs change nothing."""
    own = sa.select(sa.func.max(EventRow.id), sa.func.count()).where(EventRow.job_id == job_id)
    last, count = session.execute(own.where(EventRow.kind.in_(CHANGES))).one()
    return last or 0, count
