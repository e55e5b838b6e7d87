"""The application: routes, errors and authentication around one `Service`."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, cast

import limits
from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.staticfiles import StaticFiles

from espalier.app.rendering import STATIC_FILES
from espalier.app.server import errors, pages, studies
from espalier.app.server.auth import STATIC, Gate, RequireToken
from espalier.app.server.browsers import GuardBrowsers
from espalier.app.server.compress import Compress
from espalier.app.server.deps import BEARER, known_parameters
from espalier.app.server.errors import FieldProblem, LimitBody, Problem, problems
from espalier.app.server.head import AnswerHead
from espalier.app.server.metrics import TimeRequests, Times
from espalier.app.server.pages.rendering import shown
from espalier.app.server.rates import LimitRate, Rates
from espalier.app.server.routes import catalog, health, jobs, patterns, results
from espalier.app.server.streams import Streams
from espalier.app.service import Service
from espalier.search.version import VERSION

TRACED: TelemetryConfig = {
    "metrics": False,  # `/metrics` has them
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
    "exclude": lambda scope: b"token" in scope.get("query_string", b""),  # which would be in the trace
}
"""What FastAPI traces of requests, where traces are sent anywhere."""


def create_app(service: Service, hosts: Iterable[str] | None = None) -> FastAPI:
    """The HTTP side of a service, reached under these names; None: any."""
    app = _App(
        title="Espalier",
        version=VERSION,
        summary="Pruning as architecture search: automatic widths against uniform ones, trained from scratch.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
        telemetry=TRACED,
    )
    app.state.service = service
    errors.install(app, shown)
    needed = [Depends(BEARER), Depends(known_parameters)]
    for router in (jobs.router, results.router, patterns.router, catalog.router):
        app.include_router(router, dependencies=needed, responses=problems(401, 403, 413, 422, 429, 500, 503))
    app.include_router(health.router)
    app.include_router(pages.router)
    # Swagger UI's own files come from a package, so that the page works without the internet
    app.mount(STATIC + "/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]))
    studies.install(app, service)
    app.mount(STATIC, StaticFiles(directory=STATIC_FILES))
    app.add_middleware(LimitBody)
    gate, rates = Gate(service.token, service.database), Rates()
    app.state.gate, app.state.rates, app.state.streams = gate, rates, Streams(service)
    if most := service.settings.max_requests_per_token:
        app.add_middleware(LimitRate, rates=rates, rate=limits.parse(most))
    app.add_middleware(RequireToken, gate=gate, rates=rates, shown=shown)
    app.add_middleware(GuardBrowsers, hosts=hosts)
    app.add_middleware(Compress)
    app.add_middleware(AnswerHead)
    times = app.state.times = Times()
    times.watch(service.database.engine)
    app.add_middleware(TimeRequests, times=times)
    return app


_DESCRIBING = threading.RLock()


class _App(FastAPI):
    """FastAPI, describing errors as they are sent."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document. Made by one thread at a time: FastAPI completes models of its own on the way."""
        with _DESCRIBING:
            return self._described()

    def _described(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["schemas"] |= {
                "Problem": Problem.model_json_schema(ref_template="#/components/schemas/{model}"),
                "FieldProblem": FieldProblem.model_json_schema(),
            }
            document["components"]["schemas"]["Problem"].pop("$defs", None)
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
        return cast(dict[str, Any], self.openapi_schema)
