"""Runners are alive while they say so, and not for long after."""

from __future__ import annotations

import sqlalchemy as sa

from espalier.storage import runners
from espalier.storage.clock import now
from espalier.storage.database import Database
from espalier.storage.runners import SILENCE
from espalier.storage.tables import RunnerRow


def is_alive(database: Database) -> bool:
    with database.session() as session:
        return runners.alive(session) > 0


def beat(database: Database, owner: str) -> None:
    with database.session() as session:
        runners.heartbeat(session, owner)


def silence(database: Database, owner: str) -> None:
    """As if it had last been heard of too long ago."""
    with database.session() as session:
        session.execute(sa.update(RunnerRow).where(RunnerRow.owner == owner).values(seen_at=now() - 2 * SILENCE))


def owners(database: Database) -> set[str]:
    with database.session() as session:
        return set(session.scalars(sa.select(RunnerRow.owner)))


def test_one_that_speaks_is_alive_until_it_is_silent(database: Database) -> None:
    assert not is_alive(database)
    beat(database, "a")
    assert is_alive(database)
    silence(database, "a")
    assert not is_alive(database)
    beat(database, "a")
    assert is_alive(database)


def test_one_that_leaves_is_gone_and_others_stay(database: Database) -> None:
    beat(database, "a")
    beat(database, "b")
    with database.session() as session:
        runners.leave(session, "a")
    assert owners(database) == {"b"}
    assert is_alive(database)


def test_the_dead_are_forgotten_when_another_comes(database: Database) -> None:
    beat(database, "a")
    silence(database, "a")
    beat(database, "b")
    assert owners(database) == {"b"}
