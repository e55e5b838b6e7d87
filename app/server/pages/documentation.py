"""The API's documentation, as a page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse, Response

from espalier.app.server.auth import STATIC
from espalier.app.server.browsers import POLICY

router = APIRouter()


@router.get("/docs")
def docs() -> Response:
    """The API's documentation."""
    files = STATIC + "/swagger"
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Espalier",
        swagger_js_url=f"{files}/swagger-ui-bundle.js",
        swagger_css_url=f"{files}/swagger-ui.css",
        swagger_favicon_url=f"{files}/favicon-32x32.png",
    )
    inline = "'self' 'unsafe-inline'"  # Swagger UI's own
    page.headers["Content-Security-Policy"] = f"{POLICY}; script-src {inline}; style-src {inline}"
    return page


@router.get("/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())
