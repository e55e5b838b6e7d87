"""The library: patterns of all jobs, and what following them did. Both outlive their jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.search.answers.patterns import KnownPattern, Pattern, Patterns, Transfer, patterns, transfers
from espalier.search.answers.verdict import compare
from espalier.search.question import Question
from espalier.search.spec import JobSpec, Target
from espalier.storage import candidates, jobs
from espalier.storage.architectures import SHORTEST
from espalier.storage.clock import now
from espalier.storage.errors import NotFound
from espalier.storage.tables import PatternRow, TransferRow


def of_job(session: Session, job_id: str) -> Patterns:
    """What a job has found so far; nothing of one of an earlier release, which did not note its groups. Raises
    NotFound."""
    stored = jobs.get(session, job_id).question
    if stored is None:
        return Patterns(patterns=())
    return patterns(candidates.outcomes(session, job_id), Question.read(stored))


def remember(session: Session, job_id: str) -> None:
    """Keep what a job found, and what following patterns did in it, in the place of what was kept of it before."""
    spec = JobSpec.read(jobs.get(session, job_id).spec)
    outcomes = candidates.outcomes(session, job_id)
    for table in (PatternRow, TransferRow):
        session.execute(sa.delete(table).where(table.job_id == job_id))
    session.add_all(
        PatternRow(
            id=one.id(job_id),
            job_id=job_id,
            found_at=now(),
            target=spec.target.model_dump(mode="json"),
            pattern=one.model_dump(mode="json"),
        )
        for one in of_job(session, job_id).patterns
    )
    verdicts = compare(outcomes, spec.looks, candidates.failed(session, job_id))
    session.add_all(
        TransferRow(pattern_id=id, job_id=job_id, place=place, transfer=one.model_dump(mode="json"))
        for place, (id, one) in enumerate(transfers(job_id, spec.target, spec.guides, outcomes, verdicts))
    )


def get(session: Session, pattern_id: str) -> KnownPattern:
    """One pattern, by its id or the first characters of it. Raises NotFound."""
    row = session.get(PatternRow, pattern_id)
    if row is not None:
        return _known([row], session)[0]
    query = sa.select(PatternRow).where(PatternRow.id.startswith(pattern_id, autoescape=True)).limit(2)
    rows = session.scalars(query).all() if len(pattern_id) >= SHORTEST else ()
    if len(rows) != 1:
        what = "more than one pattern begins with" if rows else "no pattern"
        raise NotFound(f"{what} {pattern_id!r}" + ("; give more of its id" if rows else ""))
    return _known(rows, session)[0]


def ranked(session: Session, arch: str | None = None, dataset: str | None = None) -> list[KnownPattern]:
    """All patterns, first those for which most speaks with this network on this data; of equal ones the newest."""
    rows = session.scalars(sa.select(PatternRow).order_by(PatternRow.found_at.desc(), PatternRow.id)).all()
    return sorted(_known(rows, session), key=lambda one: one.rank(arch, dataset), reverse=True)


def _known(rows: Sequence[PatternRow], session: Session) -> list[KnownPattern]:
    records = _records(session, [row.id for row in rows])
    return [
        KnownPattern(
            id=row.id,
            job=row.job_id,
            target=Target.model_validate(row.target),
            pattern=Pattern.model_validate(row.pattern),
            record=tuple(records[row.id]),
        )
        for row in rows
    ]


def _records(session: Session, ids: Iterable[str]) -> dict[str, list[Transfer]]:
    """By pattern, oldest job first."""
    query = sa.select(TransferRow).where(TransferRow.pattern_id.in_(ids))
    found: dict[str, list[Transfer]] = defaultdict(list)
    for row in session.scalars(query.order_by(TransferRow.job_id, TransferRow.place)):
        found[row.pattern_id].append(Transfer.model_validate(row.transfer))
    return found
