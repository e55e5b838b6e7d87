"""What follows from stored candidates and results, for databases of releases that did not note it.

The schema's migrations add such columns and tables empty; what belongs in them is decided by today's code alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.search.states import CandidateState
from espalier.storage import findings, measurements
from espalier.storage.candidates import candidate_of, columns, result_of
from espalier.storage.tables import CandidateRow, MeasurementRow

AT_ONCE = 500
"""Rows in memory."""


def fill(session: Session) -> None:
    """Write what is missing."""
    _fill_columns(session)
    _fill_measurements(session)


def _fill_columns(session: Session) -> None:
    for row in session.scalars(sa.select(CandidateRow).where(CandidateRow.arm.is_(None))):
        for name, value in columns(candidate_of(row)).items():
            setattr(row, name, value)
    session.flush()


def _fill_measurements(session: Session) -> None:
    """In brief what results say, and what they say together of an architecture."""
    c, m = CandidateRow, MeasurementRow
    noted = sa.exists().where(m.job_id == c.job_id, m.key == c.key)
    lacking = sa.select(c.job_id, c.key).where(c.state == CandidateState.SUCCEEDED, ~noted)
    places = set()
    for chunk in session.execute(lacking).partitions(AT_ONCE):
        for job_id, key in chunk:
            row = session.get_one(c, (job_id, key))
            if (result := result_of(row)) is not None:
                measurements.remember(session, row, candidate_of(row), result)
                places.add((result.architecture, str(row.arm)))
        session.flush()
        session.expunge_all()
    findings.refresh(session, places)
