"""Columns that follow from a stored candidate, for rows of releases that did not have them.

The schema's migrations add such columns empty; what belongs in them is decided by today's code alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.storage.candidates import candidate_of, columns
from espalier.storage.tables import CandidateRow


def fill_columns(session: Session) -> None:
    """Fill in what rows of earlier releases lack."""
    for row in session.scalars(sa.select(CandidateRow).where(CandidateRow.arm.is_(None))):
        for name, value in columns(candidate_of(row)).items():
            setattr(row, name, value)
