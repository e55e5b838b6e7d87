"""Which runners live: each says so in a row of its own, wherever it runs."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.storage.clock import shared_now
from espalier.storage.tables import RunnerRow

SILENCE = timedelta(seconds=30)
"""After so long without a word a runner counts as dead."""


def heartbeat(session: Session, owner: str) -> None:
    """This runner lives. The dead are forgotten with the first word of another."""
    moment = shared_now(session)
    known = session.execute(sa.update(RunnerRow).where(RunnerRow.owner == owner).values(seen_at=moment))
    if not known.rowcount:  # type: ignore[attr-defined]
        session.execute(sa.delete(RunnerRow).where(RunnerRow.seen_at < moment - SILENCE))
        session.add(RunnerRow(owner=owner, seen_at=moment))


def leave(session: Session, owner: str) -> None:
    """This runner is about to end."""
    session.execute(sa.delete(RunnerRow).where(RunnerRow.owner == owner))


def alive(session: Session) -> int:
    """How many there are; with none, jobs wait."""
    lately = sa.select(sa.func.count()).where(RunnerRow.seen_at > shared_now(session) - SILENCE)
    return session.scalar(lately) or 0
