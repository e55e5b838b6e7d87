"""The library of patterns: what was found where, what following it did, and what it gives elsewhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from espalier.app.schemas import Application, AppliedView, CostView, Page
from espalier.app.server.deps import Gone, Limit, Position, ServiceDep
from espalier.app.server.errors import problems
from espalier.app.server.links import OF_A_PATTERN, links
from espalier.app.server.responses import page
from espalier.app.work.tasks import apply_pattern
from espalier.search.answers.patterns import KnownPattern
from espalier.search.errors import SpecError
from espalier.storage import patterns as library

router = APIRouter(prefix="/v1/patterns", tags=["patterns"])

Text = Annotated[str | None, Query(max_length=500)]


@router.get(
    "",
    operation_id="list_patterns",
    responses={200: links("pattern_id", "items/0/id", *OF_A_PATTERN), **problems(422)},
)
def patterns(
    service: ServiceDep, arch: Text = None, dataset: Text = None, position: Position = None, limit: Limit = 50
) -> Page[KnownPattern]:
    """Patterns of all jobs that succeeded, first those for which most speaks with this network on this data: what
    following them did there, then with that network or on that data, then whether they were found there, then what
    they did anywhere."""
    offset = position or 0
    with service.database.session() as session:
        found = library.ranked(session, arch, dataset)
    return page(found[offset : offset + limit + 1], limit, offset + limit)


@router.get("/{pattern_id}", operation_id="get_pattern_by_id", responses=problems(404))
def pattern(pattern_id: str, service: ServiceDep) -> KnownPattern:
    """One pattern: what it keeps, where it was found, and what following it did elsewhere."""
    with service.database.session() as session:
        return library.get(session, pattern_id)


@router.post("/{pattern_id}/apply", operation_id="apply_pattern", responses=problems(400, 404, 413, 422))
def apply(pattern_id: str, application: Application, service: ServiceDep, gone: Gone) -> AppliedView:
    """The channels and the cost that a pattern gives with another network, data set or budget. Nothing is trained. A
    pattern of single weights has no channels to give: a job follows it."""
    with service.database.session() as session:
        followed = library.get(session, pattern_id).pattern
    if followed.kernels:
        raise SpecError(
            f"pattern {pattern_id} says which single weights stay, and leaves channels as they are; follow it in a "
            f'job: "guides": [{{"pattern": "{pattern_id}"}}]'
        )
    keep = followed.keep
    config, cost, dense = service.examine(apply_pattern, keep, application, service.paths, gone=gone)
    return AppliedView(config=config, cost=CostView(**cost._asdict()), dense=CostView(**dense._asdict()))
