"""The application: routes, errors and authentication around one `Service`."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, FastAPI, Query
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from espalier.app.server import errors
from espalier.app.server.auth import COOKIE, STATIC, RequireToken, is_token
from espalier.app.server.deps import BEARER, ServiceDep
from espalier.app.server.errors import FieldProblem, LimitBody, Problem, problems
from espalier.app.server.routes import catalog, health, jobs, results
from espalier.app.service import Service
from espalier.search.version import VERSION

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Espalier</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
<h1>Espalier</h1>
<p>Pruning as architecture search. This service is used over HTTP and from the command line:</p>
<ul><li><a href="/docs">the API, with every route and error</a></li><li><code>espalier search --help</code></li></ul>
</html>"""


def create_app(service: Service) -> FastAPI:
    """The HTTP side of a service."""
    app = _App(
        title="Espalier",
        version=VERSION,
        summary="Pruning as architecture search: automatic widths against uniform ones, trained from scratch.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
    )
    app.state.service = service
    errors.install(app)
    for router in (jobs.router, results.router, catalog.router):
        app.include_router(router, dependencies=[Depends(BEARER)], responses=problems(401, 413, 422, 500, 503))
    app.include_router(health.router)
    _add_pages(app)
    app.add_middleware(LimitBody)
    app.add_middleware(RequireToken, token=service.token)
    return app


class _App(FastAPI):
    """FastAPI, describing errors as they are sent."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
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


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    def index(service: ServiceDep, token: Annotated[str | None, Query(max_length=500)] = None) -> Response:
        """The page; a token in the address becomes a cookie and leaves the address."""
        if token is None:
            return HTMLResponse(PAGE)
        response = RedirectResponse("/", 303)
        if service.token is not None and is_token(service.token, token):
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
        return response

    # Swagger UI's own files come from a package, so that the page works without the internet
    app.mount(STATIC + "/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        files = STATIC + "/swagger"
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Espalier",
            swagger_js_url=f"{files}/swagger-ui-bundle.js",
            swagger_css_url=f"{files}/swagger-ui.css",
            swagger_favicon_url=f"{files}/favicon-32x32.png",
        )

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())
