"""Rows of releases that knew less get what follows from their candidates."""

from __future__ import annotations

import sqlalchemy as sa

from espalier.storage import candidates
from espalier.storage.backfill import fill
from espalier.storage.database import Database
from espalier.storage.tables import CandidateRow
from tests.search.helpers import candidate
from tests.storage.helpers import submit

CANDIDATES = [candidate("sparse"), candidate("dense"), candidate("pruned"), candidate("uniform"), candidate("random")]


def forget(database: Database) -> None:
    with database.session() as session:
        session.execute(sa.update(CandidateRow).values(arm=None, arm_name=None, role=None))


def test_rows_without_an_arm_get_one(database: Database) -> None:
    job_id = submit(database, CANDIDATES)
    forget(database)
    with database.session() as session:
        fill(session)
    with database.session() as session:
        found = [(row.arm, row.arm_name, row.role) for row in candidates.rows(session, job_id)]
    assert found == [(one.arm.id, one.arm.name, one.arm.role) for one in CANDIDATES]
    assert [role for _, _, role in found] == ["parent", "reference", "automatic", "baseline", "baseline"]


def test_an_upgrade_fills_them_and_so_does_the_next_after_one_that_broke_off(database: Database) -> None:
    job_id = submit(database, CANDIDATES)
    for _ in range(2):
        forget(database)
        database.upgrade()
        with database.session() as session:
            assert all(row.arm for row in candidates.rows(session, job_id))


def test_rows_that_have_one_are_left_alone(database: Database) -> None:
    job_id = submit(database, CANDIDATES)
    with database.session() as session:
        session.execute(sa.update(CandidateRow).values(arm="mine", dataset="named otherwise"))
        fill(session)
    with database.session() as session:
        assert {(row.arm, row.dataset) for row in candidates.rows(session, job_id)} == {("mine", "named otherwise")}


def test_nothing_else_of_a_row_changes(database: Database) -> None:
    job_id = submit(database, CANDIDATES)

    def everything() -> list[dict[str, object]]:
        with database.session() as session:
            columns = CandidateRow.__table__.columns.keys()
            return [{name: getattr(row, name) for name in columns} for row in candidates.rows(session, job_id)]

    before = everything()
    forget(database)
    with database.session() as session:
        fill(session)
    assert everything() == before
