"""What time it is."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session


def now() -> datetime:
    """This moment in UTC, by the clock of this machine."""
    return datetime.now(UTC)


def shared_now(session: Session) -> datetime:
    """This moment in UTC, by the clock of the database: what runners on several machines agree on. An SQLite file is
    on one machine."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    return session.scalar(sa.select(sa.func.clock_timestamp())) or now()
