"""Guides that name a job or a pattern: looked up when the spec comes in, they stand in the spec from then on."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from sqlalchemy.orm import Session

from espalier.app.service import Service
from espalier.search.answers.patterns import guides_of
from espalier.search.errors import SpecError, messages
from espalier.search.spec import Guide, JobSpec
from espalier.storage import jobs, patterns
from espalier.storage.errors import NotFound


def resolved(service: Service, spec: JobSpec) -> JobSpec:
    """The spec with every guide spelt out. Raises NotFound, or SpecError if a job has no pattern of use here."""
    if all(guide.is_spelt_out and guide.pattern is None for guide in spec.guides):
        return spec
    with service.database.session() as session:
        guides = [one for guide in spec.guides for one in _spelt_out(session, guide, spec)]
    try:
        return spec.model_copy(update={"guides": guides})
    except ValidationError as error:  # two jobs on one network and data set
        raise SpecError(messages(error)) from error


def _spelt_out(session: Session, guide: Guide, spec: JobSpec) -> Iterator[Guide]:
    if guide.is_spelt_out:
        yield (
            guide if guide.pattern is None or _is_known(session, guide) else guide.model_copy(update={"pattern": None})
        )
    elif guide.pattern is not None:
        known = patterns.get(session, guide.pattern)
        name = guide.name or f"{known.target} {known.pattern.name} {known.pattern.budget}"
        followed = {"keep": known.pattern.keep, "kernels": known.pattern.kernels}
        found = {**followed, "job": known.job, "pattern": known.id}
        yield guide.model_copy(update={"name": name, **found})
    else:
        yield from _of_job(session, guide, spec)


def _is_known(session: Session, guide: Guide) -> bool:
    """Whether the library has this pattern; what follows another one says nothing of it."""
    try:
        known = patterns.get(session, guide.pattern or "")
    except NotFound:
        return False
    pattern = known.pattern
    return (known.id, pattern.keep, pattern.kernels) == (guide.pattern, guide.keep, guide.kernels)


def _of_job(session: Session, guide: Guide, spec: JobSpec) -> Iterator[Guide]:
    """The patterns that a job found for budgets of this one."""
    job = jobs.get(session, guide.job or "")
    found = patterns.of_job(session, job.id)
    wanted = spec.budgets if guide.budget is None else (guide.budget,)
    fitting = found.model_copy(update={"patterns": tuple(one for one in found.patterns if one.budget in wanted)})
    if not fitting.patterns:
        there = ", ".join(dict.fromkeys(str(one.budget) for one in found.patterns)) or "no budget yet"
        raise SpecError(
            f"job {job.id} has patterns for {there}, and this one asks for {', '.join(map(str, wanted))}; give it a "
            "budget that both have"
        )
    yield from guides_of(fitting, guide.name or str(JobSpec.read(job.spec).target), job.id)
