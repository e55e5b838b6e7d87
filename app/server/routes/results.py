"""What came of jobs: fronts, verdicts, architectures, exports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from starlette.exceptions import HTTPException

from espalier.app import charts
from espalier.app.schemas import ArchitectureView, FoundView, Page
from espalier.app.server.deps import Gone, Limit, Position, ServiceDep
from espalier.app.server.errors import problems
from espalier.app.server.links import OF_AN_ARCHITECTURE, links
from espalier.app.server.responses import architecture_view, found_view, page
from espalier.app.work.tasks import export_config, receipt_of
from espalier.models.document import content_hash
from espalier.search.answers.choice import Choice, cheapest, choose
from espalier.search.answers.patterns import Patterns
from espalier.search.answers.tickets import TicketAnswer
from espalier.search.answers.values import Answer, CostName, Outcomes, Pareto
from espalier.search.version import VERSION
from espalier.storage import architectures as found_architectures
from espalier.storage import jobs

router = APIRouter(prefix="/v1", tags=["results"])

Text = Annotated[str | None, Query(max_length=500)]
FILE: dict[str, Any] = {"content": {"*/*": {}}, "description": "the file, as its format says"}
PICTURE: dict[str, Any] = {"content": {"image/svg+xml": {}}, "description": "the picture"}
OWN_STYLE = "default-src 'none'; style-src 'unsafe-inline'"
"""Of a picture that is opened by itself: it has a style within, and nothing else."""
Count = Annotated[int | None, Query(ge=0, lt=2**63)]


@router.get("/jobs/{job_id}/pareto", operation_id="get_pareto", responses=problems(404, 422))
def pareto(job_id: str, service: ServiceDep, cost: CostName = "params") -> Pareto:
    """Cost against accuracy, means over seeds. Works while the job runs, on what there is."""
    return service.answers.of(job_id).front(cost)


@router.get(
    "/jobs/{job_id}/pareto.svg",
    operation_id="draw_pareto",
    response_class=Response,
    responses={200: PICTURE, **problems(404, 422)},
)
def pareto_picture(job_id: str, service: ServiceDep, cost: CostName = "params") -> Response:
    """The front as a picture, as the page and reports show it."""
    svg = charts.front([pareto(job_id, service, cost)])
    return Response(svg, media_type="image/svg+xml", headers={"Content-Security-Policy": OWN_STYLE})


@router.get("/jobs/{job_id}/choice", operation_id="choose_network", responses=problems(404, 422))
def choice(
    job_id: str,
    service: ServiceDep,
    most: Annotated[float, Query(ge=0, allow_inf_nan=False, description="that it may cost")],
    cost: CostName = "params",
) -> Choice:
    """Which network to take for a budget: on the front, and best on the hold-out. Works while the job runs; 404 also if
    none costs so little."""
    known = service.answers.of(job_id)
    front = known.front(cost)
    found = choose(front, known.stored.outcomes, most)
    if found is None:
        raise HTTPException(404, nothing_so_small(front, known.stored.outcomes))
    return found


def nothing_so_small(front: Pareto, outcomes: Outcomes) -> str:
    """Why there is no network to take."""
    if not outcomes:
        return "This job has no network yet."
    least = charts.amount(cheapest(front, outcomes), front.cost)
    return f"No network on the front costs so little; the cheapest there has {least}."


@router.get("/jobs/{job_id}/verdict", operation_id="get_verdict", responses=problems(404))
def verdict(job_id: str, service: ServiceDep) -> Answer:
    """Is automatic pruning better than the baselines? Works while the job runs, on what there is."""
    return service.answers.of(job_id).verdict


@router.get("/jobs/{job_id}/tickets", operation_id="get_tickets", responses=problems(404))
def tickets(job_id: str, service: ServiceDep) -> TicketAnswer:
    """Lottery tickets: accuracy and early stop against the share of weights left. Works while the job runs."""
    return service.answers.of(job_id).tickets


@router.get("/jobs/{job_id}/pattern", operation_id="get_pattern", responses=problems(404))
def pattern(job_id: str, service: ServiceDep) -> Patterns:
    """How much of each stage and each group methods keep at each budget. Works while the job runs."""
    return service.answers.of(job_id).stored.patterns


@router.get(
    "/architectures",
    operation_id="list_architectures",
    responses={200: links("architecture_id", "items/0/id", *OF_AN_ARCHITECTURE), **problems(422)},
)
def architectures(
    service: ServiceDep,
    arch: Text = None,
    dataset: Text = None,
    method: Text = None,
    origin: Text = None,
    max_params: Count = None,
    max_macs: Count = None,
    min_accuracy: Annotated[float | None, Query(ge=0, le=1)] = None,
    sort: Literal["accuracy", "params", "macs", "latency"] = "accuracy",
    position: Position = None,
    limit: Limit = 50,
) -> Page[FoundView]:
    """Architectures across all jobs, grouped over seeds."""
    wanted = found_architectures.Filter(arch, dataset, method, origin, max_params, max_macs, min_accuracy)
    offset = position or 0
    with service.database.session() as session:
        found = found_architectures.search(session, wanted, sort, offset, limit + 1)
    return page([found_view(one) for one in found], limit, offset + limit)


@router.get("/architectures/{architecture_id}", operation_id="get_architecture", responses=problems(404))
def architecture(architecture_id: str, service: ServiceDep) -> ArchitectureView:
    """One architecture: its config, what each layer costs, and what training it showed."""
    with service.database.session() as session:
        row, found = found_architectures.architecture(session, architecture_id)
        latency = jobs.latency_of(session, row.id, {one.job_id for one in found})
    layers = service.ask_once(receipt_of, found_architectures.config_of(row))
    return architecture_view(row, found, layers, latency, service.store.has)


@router.get(
    "/architectures/{architecture_id}/export",
    operation_id="export_architecture",
    response_class=Response,
    responses={200: FILE, 304: {"description": "unchanged"}, **problems(404, 422)},
)
def export(
    architecture_id: str,
    service: ServiceDep,
    gone: Gone,
    format: Annotated[str, Query(max_length=50)] = "json",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The architecture as a file."""
    with service.database.session() as session:
        row, found = found_architectures.architecture(session, architecture_id)
        kept = found_architectures.weights_of(session, found)
    config = found_architectures.config_of(row)
    weights = next(service.intact(kept), None)
    version = {"id": row.id, "format": format, "weights": weights and weights.name, "release": VERSION}
    etag = f'"{content_hash(version)}"'
    held = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    if etag in held:  # only who was given the file knows it
        return Response(status_code=304, headers={"ETag": etag})
    file = service.examine(export_config, format, config, weights, bool(kept) and weights is None, gone=gone)
    if "*" in held:
        return Response(status_code=304, headers={"ETag": etag})
    name = f"{row.arch.replace('/', '-')}-{row.id[:8]}.{file.suffix}"
    headers = {"ETag": etag, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(file.content, media_type=file.media_type, headers=headers)
