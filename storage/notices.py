"""Who is to be told that a job has ended: written with the end itself, and there until somebody was told."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from espalier.search.spec import JobSpec
from espalier.search.states import JobState
from espalier.storage.clock import shared_now
from espalier.storage.tables import JobRow, NoticeRow

LATER = tuple(map(timedelta, (0,) * 6, (10, 60, 600, 3600, 6 * 3600, 24 * 3600)))
"""After every time that nobody answered; after the last nobody is asked any more."""
HELD = timedelta(minutes=1)
"""For how long who tells it has a notice to itself."""


def note(session: Session, job_id: str, state: JobState) -> None:
    """A job has ended so; its address, if it has one, is to be told."""
    spec = session.scalar(sa.select(JobRow.spec).where(JobRow.id == job_id))
    if spec is not None and JobSpec.read(spec).webhook is not None:
        moment = shared_now(session)
        session.add(NoticeRow(job_id=job_id, state=state, ended_at=moment, due_at=moment, attempts=0))


def claim(session: Session) -> NoticeRow | None:
    """The notice that is due first. Nobody else gets it for a moment; then it is due again, unless it was settled."""
    moment, later = shared_now(session), aliased(NoticeRow)
    first = sa.select(later.id).where(later.due_at <= moment).order_by(later.due_at, later.id).limit(1)
    return session.scalar(
        sa.update(NoticeRow)
        .where(NoticeRow.id == first.scalar_subquery(), NoticeRow.due_at <= moment)
        .values(due_at=moment + HELD, attempts=NoticeRow.attempts + 1)
        .returning(NoticeRow)
    )


def settle(session: Session, notice_id: int) -> None:
    """Somebody was told, or nobody ever will be."""
    session.execute(sa.delete(NoticeRow).where(NoticeRow.id == notice_id))


def postpone(session: Session, notice: NoticeRow) -> timedelta | None:
    """Nobody answered: in how long it is tried again; None if it is given up."""
    if notice.attempts > len(LATER):
        settle(session, notice.id)
        return None
    wait = LATER[notice.attempts - 1]
    due = sa.update(NoticeRow).where(NoticeRow.id == notice.id)
    session.execute(due.values(due_at=shared_now(session) + wait))
    return wait
