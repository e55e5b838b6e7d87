"""Templates: everything is escaped, and times are words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import jinja2
import pytest

from espalier.app.rendering import rendered, when

NASTY = "<script>alert(1)</script>"


def test_what_is_shown_is_escaped() -> None:
    page = rendered("error.html", title=NASTY, detail=NASTY)
    assert NASTY not in page
    assert "&lt;script&gt;" in page


def test_a_value_that_is_not_given_is_an_error_and_no_gap() -> None:
    with pytest.raises(jinja2.UndefinedError):
        rendered("error.html", title="t")


def test_times_are_written_in_utc() -> None:
    east = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert (when(east), when(None)) == ("2025-12-31 23:30 UTC", "")
    assert when(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01 00:00 UTC"
