"""What comparisons read of a job: each training in brief, beside its whole result."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.search.candidates import Candidate
from espalier.search.comparable import Brief
from espalier.search.results import Result
from espalier.storage.tables import CandidateRow, MeasurementRow


def remember(session: Session, row: CandidateRow, candidate: Candidate, result: Result) -> None:
    """Note a result in brief, in the place of what was noted before."""
    brief = Brief.of(result)
    measured = MeasurementRow(
        job_id=row.job_id,
        key=row.key,
        position=row.position,
        arm=candidate.arm.id,
        role=candidate.arm.role,
        seed=candidate.seed,
        needs=candidate.needs,
        goodness=brief.metric.sign * brief.chosen_by,
        brief=brief.dump(),
    )
    session.merge(measured)


def of_job(session: Session, job_id: str) -> list[tuple[Candidate, Brief]]:
    """All of a job, in the order in which its candidates were asked for. Candidates of one arm are read once."""
    m, c = MeasurementRow, CandidateRow
    firsts = sa.select(sa.func.min(m.position)).where(m.job_id == job_id).group_by(m.arm)
    arms = {
        arm: Candidate.stored(document, key, arm)
        for key, arm, document in session.execute(
            sa.select(c.key, c.arm, c.candidate).where(c.job_id == job_id, c.position.in_(firsts))
        )
    }
    columns = (m.position, m.key, m.arm, m.seed, m.needs, m.brief)
    found = sorted(session.execute(sa.select(*columns).where(m.job_id == job_id)), key=lambda row: row.position)
    return [(arms[row.arm].sibling(row.key, row.seed, row.needs), Brief.read(row.brief)) for row in found]
