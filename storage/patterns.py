"""The library: patterns of all jobs, and what following them did. Both outlive their jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from espalier.search.answers.patterns import KnownPattern, Pattern, Patterns, Provenance, Transfer, patterns, transfers
from espalier.search.answers.values import Outcomes
from espalier.search.answers.verdict import compare
from espalier.search.question import Question
from espalier.search.spec import JobSpec, Target
from espalier.storage import candidates, jobs, measurements
from espalier.storage.architectures import SHORTEST
from espalier.storage.clock import now
from espalier.storage.errors import NotFound
from espalier.storage.tables import JobRow, PatternRow, TransferRow


def of_job(session: Session, job_id: str) -> Patterns:
    """What a job has found so far; nothing of one of an earlier release, which did not note its groups. Raises
    NotFound."""
    return found_by(jobs.get(session, job_id), measurements.of_job(session, job_id))


def found_by(job: JobRow, outcomes: Outcomes) -> Patterns:
    """The same of outcomes that were read already."""
    return Patterns(patterns=()) if job.question is None else patterns(outcomes, Question.read(job.question))


def remember(session: Session, job_id: str) -> None:
    """Keep what a job found, and what following patterns did in it, in the place of what was kept of it before."""
    job = jobs.get(session, job_id)
    spec, outcomes, moment = JobSpec.read(job.spec), measurements.of_job(session, job_id), now()
    found = found_by(job, outcomes)
    made = Provenance(recipe=spec.recipe, releases=tuple(sorted(candidates.releases(session, job_id))))
    verdicts = compare(outcomes, spec.looks, candidates.failed(session, job_id))
    for table in (PatternRow, TransferRow):
        session.execute(sa.delete(table).where(table.job_id == job_id))
    session.add_all(
        PatternRow(
            id=one.id(job_id),
            job_id=job_id,
            found_at=moment,
            target=spec.target.model_dump(mode="json"),
            provenance=made.model_dump(mode="json"),
            pattern=one.model_dump(mode="json"),
        )
        for one in found.patterns
    )
    session.add_all(
        TransferRow(pattern_id=id, job_id=job_id, place=place, told_at=moment, transfer=one.model_dump(mode="json"))
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
    records = _records(session, rows[0].id if len(rows) == 1 else None)
    return [
        KnownPattern(
            id=row.id,
            job=row.job_id,
            target=Target.model_validate(row.target),
            provenance=Provenance.model_validate(row.provenance) if row.provenance else None,
            pattern=Pattern.model_validate(row.pattern),
            record=tuple(records[row.id]),
        )
        for row in rows
    ]


def _records(session: Session, pattern_id: str | None) -> dict[str, list[Transfer]]:
    """Of one pattern, or of all, by pattern; the oldest first."""
    which = sa.true() if pattern_id is None else TransferRow.pattern_id == pattern_id
    query = sa.select(TransferRow).where(which)
    found: dict[str, list[Transfer]] = defaultdict(list)
    for row in session.scalars(query.order_by(TransferRow.told_at, TransferRow.job_id, TransferRow.place)):
        found[row.pattern_id].append(Transfer.model_validate(row.transfer))
    return found
