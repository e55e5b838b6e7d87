"""Whether the service is up and ready, and its numbers for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from espalier.app.schemas import Health
from espalier.app.server.deps import BEARER, ServiceDep
from espalier.app.server.errors import problem, problems
from espalier.app.server.metrics import registry

router = APIRouter(tags=["operations"])


@router.get("/healthz", operation_id="is_up")
async def healthz() -> Health:
    """Whether the process answers."""
    return Health()


@router.get("/readyz", operation_id="is_ready", response_model=Health, responses=problems(503))
def readyz(service: ServiceDep) -> Health | JSONResponse:
    """Whether jobs would be taken and run."""
    missing = service.missing()
    return problem(503, "; ".join(missing)) if missing else Health()


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=Response,
    dependencies=[Depends(BEARER)],
    responses=problems(401),
)
def metrics(service: ServiceDep, request: Request) -> Response:
    """Numbers for Prometheus: of all jobs as the database has them now, and of the process that answers."""
    with service.database.session() as session:
        return Response(generate_latest(registry(session, request.app.state.times)), media_type=CONTENT_TYPE_LATEST)
