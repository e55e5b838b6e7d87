"""Guides that name a job: its patterns are looked up when the spec comes in, and stand in the spec from then on."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from espalier.app.service import Service
from espalier.search.errors import SpecError
from espalier.search.spec import Guide, JobSpec


def resolved(service: Service, spec: JobSpec) -> JobSpec:
    """The spec with every guide spelt out. Raises NotFound, or SpecError if a job has no pattern of use here."""
    if all(guide.keep for guide in spec.guides):
        return spec
    guides = [one for guide in spec.guides for one in ([guide] if guide.keep else _of_job(service, guide, spec))]
    try:
        return spec.model_copy(update={"guides": guides})
    except ValidationError as error:  # two jobs on one network and data set
        raise SpecError("; ".join(e["msg"] for e in error.errors())) from error


def _of_job(service: Service, guide: Guide, spec: JobSpec) -> Iterator[Guide]:
    """The patterns that a job found for budgets of this one."""
    target, found = service.patterns(guide.job or "")
    wanted = spec.budgets if guide.budget is None else (guide.budget,)
    fitting = [one for one in found.patterns if one.budget in wanted]
    if not fitting:
        there = ", ".join(dict.fromkeys(str(one.budget) for one in found.patterns)) or "no budget yet"
        raise SpecError(
            f"job {guide.job} has patterns for {there}, and this one asks for {', '.join(map(str, wanted))}; give it a "
            "budget that both have"
        )
    for one in fitting:
        name = f"{guide.name or f'{target.arch} {target.dataset_name}'} {one.name}"
        yield Guide(name=name, keep=tuple(stage.keep.mean for stage in one.stages), budget=one.budget, job=guide.job)
