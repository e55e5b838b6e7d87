"""What may be queued: how many jobs wait, and how much compute one token may ask for in a day."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.search.states import JobState
from espalier.storage.clock import now
from espalier.storage.errors import TooManyQueued
from espalier.storage.tables import GrantRow, JobRow

DAY = timedelta(days=1)
LOCK = 0x45535052
"""Any number, as long as every process uses the same."""


class Room(NamedTuple):
    """None is without limit; the last two are of one token with a name."""

    queued: int | None = None
    """Jobs that wait for a runner."""
    own: int | None = None
    """The same, and those that are paused."""
    macs: float | None = None
    """Multiply-adds of training, of the jobs that were submitted within a day."""

    def check(self, session: Session, whose: str | None, macs: float = 0.0) -> None:
        """Raise TooManyQueued where there is none for one more job of somebody, which takes so many multiply-adds.
        Until the session ends, nobody else is told that there is."""
        if self == UNLIMITED:
            return
        _one_after_the_other(session)
        if self.queued is not None and (waiting := _waiting(session)) >= self.queued:
            raise TooManyQueued(f"{waiting} jobs wait, the most this service takes is {self.queued}; try later")
        if whose is None:
            return
        if self.own is not None and (waiting := _waiting(session, JobState.PAUSED, whose=whose)) >= self.own:
            raise TooManyQueued(f"{waiting} jobs of {whose} wait, the most of one token is {self.own}; try later")
        if self.macs is not None and macs and (taken := _macs(session, whose)) + macs > self.macs:
            raise TooManyQueued(
                f"jobs that {whose} submitted within a day take {taken:.3g} multiply-adds, this one {macs:.3g} more, "
                f"and the most of one token is {self.macs:.3g}; try tomorrow, or ask for less"
            )


def _waiting(session: Session, *states: JobState, whose: str | None = None) -> int:
    """How many jobs wait; of one token's."""
    waiting = sa.select(sa.func.count()).where(JobRow.state.in_([JobState.QUEUED, *states]))
    return session.scalar(waiting if whose is None else waiting.where(JobRow.submitted_by == whose)) or 0


def _one_after_the_other(session: Session) -> None:
    """Wait until no other session is between counting and writing."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(sa.update(GrantRow).where(sa.false()).values(macs=0.0))  # takes the lock of whoever writes
    else:
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _macs(session: Session, whose: str) -> float:
    taken = sa.select(sa.func.sum(GrantRow.macs)).where(GrantRow.token == whose, GrantRow.at > now() - DAY)
    return session.scalar(taken) or 0.0


def asked_for(session: Session, job_id: str) -> float:
    """Multiply-adds that a job was granted so far."""
    return session.scalar(sa.select(sa.func.sum(GrantRow.macs)).where(GrantRow.job_id == job_id)) or 0.0


def grant(session: Session, whose: str | None, job_id: str, macs: float) -> None:
    """Note what somebody's job may take; of the service's own token nothing is counted."""
    if whose is not None and macs > 0:
        session.add(GrantRow(token=whose, job_id=job_id, at=now(), macs=macs))


UNLIMITED = Room()
