"""What columns hold comes back as it was: moments in UTC, documents, and rows that go with what they belong to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from espalier.storage.database import Database
from espalier.storage.tables import ArtifactRow, CandidateRow, EventRow, JobRow, RunnerRow
from tests.search.helpers import candidate, result
from tests.storage.helpers import submit

ONE = candidate("dense")


@pytest.mark.parametrize("hours", [0, 5, -11])
def test_a_moment_of_any_zone_is_the_same_moment_in_utc(database: Database, hours: int) -> None:
    moment = datetime(2024, 2, 29, 23, 30, 1, 250_000, tzinfo=timezone(timedelta(hours=hours)))
    with database.session() as session:
        session.add(RunnerRow(owner="me", seen_at=moment))
    with database.session() as session:
        seen = session.scalars(sa.select(RunnerRow.seen_at)).one()
    assert seen == moment
    assert seen.tzinfo is UTC or seen.utcoffset() == timedelta(0)


def test_a_document_comes_back_as_it_was(database: Database) -> None:
    job_id = submit(database, [ONE])
    document = {"text": "é ✓", "number": 0.1, "nothing": None, "list": [1, {"deep": True}], "large": 2**53}
    with database.session() as session:
        session.execute(sa.update(JobRow).values(spec=document))
    with database.session() as session:
        assert session.scalars(sa.select(JobRow.spec).where(JobRow.id == job_id)).one() == document


def test_counts_may_be_large(database: Database) -> None:
    submit(database, [ONE], [result(ONE, params=2**40, macs=2**62)])
    with database.session() as session:
        row = session.scalars(sa.select(CandidateRow)).one()
    assert (row.params, row.macs) == (2**40, 2**62)


def test_what_belongs_to_a_job_goes_with_it(database: Database) -> None:
    submit(database, [ONE], [result(ONE, artifacts={"weights": "f" * 64})])
    with database.session() as session:
        session.execute(sa.delete(JobRow))
    with database.session() as session:
        for table in (CandidateRow, EventRow, ArtifactRow):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_nothing_belongs_to_a_job_that_is_not_there(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.session() as session:
        session.add(ArtifactRow(job_id="nowhere", key="k", name="weights", hash="f" * 64))
