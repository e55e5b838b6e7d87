"""The time is UTC's, and says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from espalier.storage import clock
from espalier.storage.clock import now, shared_now
from espalier.storage.database import Database


def test_now_is_aware_and_now() -> None:
    moment = now()
    assert moment.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=10)


def test_runners_go_by_the_clock_of_a_database_that_they_share(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine an hour behind renews its leases in time, and counts as alive."""
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) - timedelta(hours=1))
    with database.session() as session:
        behind = datetime.now(UTC) - shared_now(session) > timedelta(minutes=1)
    assert behind == database.is_sqlite, "a file has no clock but its machine's"


def test_on_one_machine_that_clock_goes_as_well(database: Database) -> None:
    with database.session() as session:
        moments = [shared_now(session) for _ in range(3)]
    assert moments == sorted(moments)
    assert abs(datetime.now(UTC) - moments[0]) < timedelta(minutes=1)
    assert moments[0].utcoffset() == timedelta(0)
