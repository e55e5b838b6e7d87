"""The time is UTC's, and says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from espalier.storage.clock import now


def test_now_is_aware_and_now() -> None:
    moment = now()
    assert moment.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=10)
